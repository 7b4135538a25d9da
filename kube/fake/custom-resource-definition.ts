/** A CustomResourceDefinition that a client wrote: its kinds are served from then on, and gone with it. */
import { checkNode, type Kind } from '../../crds/schema/index.ts';
import type { AnyObject } from '../client/client.ts';
import type { CustomResourceDefinition } from '../client/core.ts';
import type { FieldCause } from './api-refusals.ts';
import type { FakeServerState } from './fake-api-server.ts';
import { at } from './json-value.ts';

export type DefinitionSpec = CustomResourceDefinition['spec'];

/** What a kind's rules say against an object, `old` being the stored one. */
export type CheckRules = (object: unknown, old: unknown) => readonly FieldCause[];

export function followDefinition(state: FakeServerState, written: AnyObject, fate: 'Served' | 'Gone'): void {
  if (written.kind !== 'CustomResourceDefinition') return;
  const spec = assertDefinitionSpec(written.spec);
  if (fate === 'Served') state.register(spec);
  else state.unregister(spec);
}

/** The parts that serving a kind needs are there; a real server checks much more. */
export function assertDefinitionSpec(spec: unknown): DefinitionSpec {
  if (!Array.isArray(at(spec, 'versions')) || typeof at(spec, 'names', 'plural') !== 'string') {
    throw new TypeError('a CustomResourceDefinition lacks spec.versions or spec.names');
  }
  return spec as DefinitionSpec;
}

/** The rules that a real server evaluates as CEL, by their TypeScript twins. */
export function rulesOf(kind: Kind): CheckRules {
  return (value, old) =>
    checkNode(kind.schema.node, value, { old }).issues.map(({ path, message }) => ({
      reason: 'FieldValueInvalid',
      field: path,
      message: `Invalid value: ${message}`,
    }));
}
