/** What an ApplicationRegistration says of a kind: the fields that stop it, and what they stop it with. Pure. */
import type { RegisteredResource, SuspendOptions } from '../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../kube/client/client.ts';
import { splitApiVersion } from '../resource-ref.ts';
import type { StoppingField, SwitchValue } from '../switches.ts';

/** The registration of the object's kind, whatever version it names. */
export function findRegistration(
  object: AnyObject,
  registrations: readonly RegisteredResource[],
): RegisteredResource | undefined {
  const { group } = splitApiVersion(object.apiVersion);
  return registrations.find((registered) => registered.group === group && registered.kind === object.kind);
}

export function stoppingFields(registration: RegisteredResource | undefined): readonly StoppingField[] {
  const options = [registration?.suspendOptions, ...(registration?.customSuspendOptions ?? [])];
  return options.flatMap((option) => {
    const path = partsOf(option?.path);
    return option === undefined || path.length === 0 ? [] : [{ path, stopping: stoppingValue(option) }];
  });
}

export const partsOf = (dotted: string | undefined): readonly string[] =>
  dotted?.split('.').filter((name) => name !== '') ?? [];

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
