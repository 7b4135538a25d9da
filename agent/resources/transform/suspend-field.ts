/**
 * One field that stops an application, set to its stopping value; what it was is kept in Stork's annotation
 * `stork.libopenstorage.org/<path>` = "old,stopping" (nothing before the comma: the field was absent). A field that
 * stands at its stopping value already and has the annotation keeps it.
 */
import type { AnyObject } from '../../../kube/client/client.ts';
import { annotate, at, label, setField } from '../fields.ts';
import { storkNames, suspendAnnotation } from '../names.ts';
import type { SwitchValue } from '../switches.ts';

export function suspendField(object: AnyObject, path: readonly string[], stopping: SwitchValue): AnyObject {
  const name = suspendAnnotation(path);
  const current = at(object, path);
  const carried = object.metadata.annotations?.[name];
  const kept = current === stopping && carried !== undefined ? carried : `${textOf(current)},${stopping}`;
  const marked = label(setField(object, path, stopping), { [storkNames.migrated]: 'true' });
  return annotate(marked, { [name]: kept });
}

const textOf = (value: unknown): string => {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  return '';
};
