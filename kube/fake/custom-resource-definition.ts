/** A CustomResourceDefinition that a client wrote: its kinds are served from then on, and gone with it. */
import type { AnyObject } from '../client/client.ts';
import type { CustomResourceDefinition } from '../client/core.ts';
import type { FakeServerState } from './fake-api-server.ts';
import { at } from './json-value.ts';

export function followDefinition(state: FakeServerState, written: AnyObject, fate: 'Served' | 'Gone'): void {
  if (written.kind !== 'CustomResourceDefinition') return;
  const crd = assertCustomResourceDefinition(written);
  if (fate === 'Served') state.register(crd);
  else state.unregister(crd);
}

function assertCustomResourceDefinition(object: AnyObject): CustomResourceDefinition {
  if (!Array.isArray(at(object, 'spec', 'versions')) || typeof at(object, 'spec', 'names', 'plural') !== 'string') {
    throw new TypeError(`the CustomResourceDefinition ${object.metadata.name} lacks spec.versions or spec.names`);
  }
  return object as CustomResourceDefinition & AnyObject;
}
