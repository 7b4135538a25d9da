/**
 * batch Job (migrated only when asked for): the selector and the labels by which the source's controller finds its pods
 * go; the destination's controller makes its own. A selector made by hand stays.
 */
import type { AnyObject } from '../../../kube/client/client.ts';
import { at, label, removeField } from '../fields.ts';
import type { Transform } from './transform-context.ts';

const controllerLabels = [
  'controller-uid',
  'batch.kubernetes.io/controller-uid',
  'batch.kubernetes.io/job-name',
  'job-name',
];

export const transformJob: Transform = (object) => {
  if (at(object, ['spec', 'manualSelector']) === true) return object;
  const unlabelled = label(object, Object.fromEntries(controllerLabels.map((name) => [name, undefined])));
  return removeField(
    withoutTemplateLabels(unlabelled),
    ['spec', 'selector'],
    ['metadata', 'annotations', 'batch.kubernetes.io/job-tracking'],
  );
};

const withoutTemplateLabels = (object: AnyObject): AnyObject =>
  removeField(object, ...controllerLabels.map((name) => ['spec', 'template', 'metadata', 'labels', name]));
