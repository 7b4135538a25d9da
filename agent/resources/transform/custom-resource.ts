/**
 * Any other kind: its status stays behind unless its ApplicationRegistration says keepStatus, and the fields that the
 * registration names for suspending are set, the old values kept in annotations.
 */
import type { RegisteredResource, SuspendOptions } from '../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../kube/client/client.ts';
import { removeField } from '../fields.ts';
import { splitApiVersion } from '../resource-ref.ts';
import { type SwitchValue, suspendField } from './suspend-field.ts';
import type { Transform } from './transform-context.ts';

export const transformCustomResource: Transform = (object, context) => {
  const registration = findRegistration(object, context.registrations);
  const bare = registration?.keepStatus === true ? object : removeField(object, ['status']);
  const options = [registration?.suspendOptions, ...(registration?.customSuspendOptions ?? [])];
  return options.reduce<AnyObject>((current, option) => {
    const path = option?.path?.split('.').filter((name) => name !== '') ?? [];
    if (option === undefined || path.length === 0) return current;
    return suspendField(current, path, stoppingValue(option));
  }, bare);
};

/** The registration of the object's kind, whatever version it names. */
export function findRegistration(
  object: AnyObject,
  registrations: readonly RegisteredResource[],
): RegisteredResource | undefined {
  const { group } = splitApiVersion(object.apiVersion);
  return registrations.find((registered) => registered.group === group && registered.kind === object.kind);
}

function stoppingValue(option: SuspendOptions): SwitchValue {
  switch (option.type) {
    case 'bool':
      return option.value === undefined || option.value === '' ? true : option.value === 'true';
    case 'int':
      return Number.parseInt(option.value ?? '0', 10) || 0;
    case 'string':
    case '':
    case undefined:
      return option.value ?? '';
    default:
      return option.type satisfies never;
  }
}
