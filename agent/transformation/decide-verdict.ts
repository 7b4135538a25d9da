/** What the checks of a transformation's objects add up to. Pure. */
import type { ResourceTransformationStatus } from '../../crds/v1alpha1/index.ts';
import type { CheckedObject, CheckedTransformation } from './check-objects.ts';

export interface Verdict {
  readonly failed: 'Yes' | 'No';
  readonly message: string;
  /** Failures first, as many as a status has room for. */
  readonly resources: NonNullable<ResourceTransformationStatus['resources']>;
}

const resourcesKept = 200;

export function decideVerdict({ objects, problems, notTried }: CheckedTransformation): Verdict {
  const misfits = objects.filter(({ result }) => result === 'NotFit');
  const unproven = objects.filter(({ result }) => result === 'Unproven');
  const proven = objects.length - misfits.length - unproven.length;
  const sentences = [
    ...problems,
    ...(misfits.length === 0
      ? []
      : [`${misfits.length} of ${objects.length} objects do not fit: ${textOf(misfits[0])}`]),
    ...(misfits.length > 0 || proven === 0 ? [] : [proven === 1 ? '1 object fits' : `${proven} objects fit`]),
    ...(objects.length === 0 && problems.length === 0 ? ['no object here matches yet'] : []),
    ...(unproven.length === 0 ? [] : [`${unproven.length} could not be tried: ${textOf(unproven[0])}`]),
    ...(notTried === 0 ? [] : [`${notTried} more match and were not tried`]),
  ];
  return {
    failed: problems.length + misfits.length > 0 ? 'Yes' : 'No',
    message: sentences.join('; '),
    resources: [...misfits, ...unproven, ...objects.filter(({ result }) => result === 'Fits')]
      .slice(0, resourcesKept)
      .map(({ ref, result, reason }) => ({
        ...ref,
        namespace: ref.namespace ?? '',
        status: result === 'NotFit' ? 'Failed' : 'Ready',
        reason,
      })),
  };
}

const textOf = (object: CheckedObject | undefined): string =>
  object === undefined ? '' : `${object.ref.kind} ${object.ref.name}: ${object.reason}`;
