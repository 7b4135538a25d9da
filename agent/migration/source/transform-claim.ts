/** What a ResourceTransformation makes of a claim, which is described to the destination and not sent as an object. Pure. */
import type { PersistentVolumeClaim } from '../../../kube/client/core.ts';
import { at, textOf } from '../../resources/fields.ts';
import type { TransformOutcome } from '../../resources/transformation/transform-by-rules.ts';
import type { IncomingVolume } from '../messages.ts';

/** Labels, annotations and StorageClass as transformed; a StorageClass named there is the destination's. */
export function withTransformed(
  incoming: IncomingVolume,
  claim: PersistentVolumeClaim,
  outcome: Exclude<TransformOutcome, { readonly did: 'NotFit' }>,
): IncomingVolume {
  if (outcome.did === 'Nothing') return incoming;
  const { labels = {}, annotations = {} } = outcome.object.metadata;
  const storageClass = textOf(at(outcome.object, ['spec', 'storageClassName']));
  const before = claim.metadata.annotations ?? {};
  // What was left out of the claim's own annotations stays out.
  const changed = Object.entries(annotations).filter(
    ([name, value]) => before[name] !== value || name in (incoming.annotations ?? {}),
  );
  return {
    ...incoming,
    labels,
    annotations: Object.fromEntries(changed),
    storageClass: storageClass === claim.spec?.storageClassName ? incoming.storageClass : storageClass,
  };
}
