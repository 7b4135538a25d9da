/**
 * A workload put to rest: replicas 0, the count it had in Stork's annotation, and Stork's label. One that is at rest
 * already and carries a count keeps that count, so it survives the way there and back.
 */
import type { AnyObject } from '../../../kube/client/client.ts';
import { annotate, at, label, numberOf, setField } from '../fields.ts';
import { storkNames } from '../names.ts';

const path = ['spec', 'replicas'] as const;

export function withoutReplicas(object: AnyObject): AnyObject {
  const replicas = numberOf(at(object, path)) ?? 1;
  const carried = object.metadata.annotations?.[storkNames.migrationReplicas];
  const count = replicas === 0 && carried !== undefined ? carried : String(replicas);
  const resting = annotate(setField(object, path, 0), { [storkNames.migrationReplicas]: count });
  return label(resting, { [storkNames.migrated]: 'true' });
}
