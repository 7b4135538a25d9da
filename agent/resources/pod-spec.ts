/** Where kinds keep the pods that they make. */
import type { AnyObject } from '../../kube/client/client.ts';
import { at, type Fields, isFields } from './fields.ts';

const places: readonly (readonly string[])[] = [
  ['spec', 'template', 'spec'],
  ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
];

/** `undefined` for what makes no pods. */
export function podSpecOf(object: AnyObject): Fields | undefined {
  const found = places.map((place) => at(object, place)).find((spec) => Array.isArray(at(spec, ['containers'])));
  return isFields(found) ? found : undefined;
}
