/**
 * apps StatefulSet: put to rest, so that scaling it never deletes its claims; what the policy was is kept for activation.
 * Claim templates travel as the server completed them (`status.phase` too): the list is atomic, and only an equal one can
 * be applied to a set that somebody else made, on the way back.
 */
import type { AnyObject } from '../../../kube/client/client.ts';
import { claimGuard, losesClaimsScaled } from '../claim-guard.ts';
import { annotate, at, numberOf, setField } from '../fields.ts';
import { suspendAnnotation } from '../names.ts';
import { withoutReplicas } from './replicas.ts';
import type { Transform } from './transform-context.ts';

export const transformStatefulSet: Transform = (object) => withGuard(withoutReplicas(object), object);

function withGuard(resting: AnyObject, object: AnyObject): AnyObject {
  const { path, stopping } = claimGuard;
  const annotation = suspendAnnotation(path);
  if (losesClaimsScaled(object))
    return annotate(setField(resting, path, stopping), { [annotation]: `${at(object, path)},${stopping}` });
  // One at rest carries what it was; one that runs is as it says.
  return numberOf(at(object, ['spec', 'replicas'])) === 0 ? resting : annotate(resting, { [annotation]: undefined });
}
