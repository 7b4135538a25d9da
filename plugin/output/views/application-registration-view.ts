/** ApplicationRegistrations: Stork's columns; a registration with several kinds lists them in one row. */
import {
  type ApplicationRegistration,
  applicationRegistrations,
  type SuspendOptions,
} from '../../../crds/v1alpha1/index.ts';
import type { ObjectView } from '../object-view.ts';

type Registration = ApplicationRegistration;
type Registered = Registration['resources'][number];

export const applicationRegistrationView: ObjectView<Registration> = {
  kind: applicationRegistrations,
  words: ['applicationregistration', 'applicationregistrations', 'appreg'],
  title: 'Application registration',
  completes: [],
  columns: [
    { name: 'KIND', cell: (registration) => each(registration, ({ kind }) => kind) },
    { name: 'CRD-NAME', cell: (registration) => each(registration, ({ group }) => group) },
    { name: 'VERSION', cell: (registration) => each(registration, ({ version }) => version) },
    { name: 'SUSPEND-OPTIONS', cell: (registration) => each(registration, suspensionOf) },
    {
      name: 'KEEP-STATUS',
      cell: (registration) => each(registration, ({ keepStatus }) => String(keepStatus === true)),
    },
  ],
};

const each = ({ resources }: Registration, cell: (resource: Registered) => string): string =>
  resources.map(cell).join(' ');

function suspensionOf({ suspendOptions, customSuspendOptions = [] }: Registered): string {
  const all = [suspendOptions, ...customSuspendOptions].filter((option) => option !== undefined);
  return all.length === 0 ? '-' : all.map(textOf).join(',');
}

const textOf = ({ path = '', type = '', value = '' }: SuspendOptions): string => [path, type, value].join(':');
