/**
 * Where a destination mover may run: where the pod that will use its volumes may, and where that pod can mount what it
 * uses besides them. A volume of WaitForFirstConsumer is made where its first consumer runs, and that is the mover: made
 * anywhere else than its neighbours it could never be mounted together with them. Pure.
 */
import type { PersistentVolume } from '../../../kube/client/core.ts';
import type { Placement } from '../messages.ts';

type NodeTerms = NonNullable<
  NonNullable<NonNullable<PersistentVolume['spec']>['nodeAffinity']>['required']
>['nodeSelectorTerms'];

/** Alternatives of one pod; more than this are no longer combined. */
const maxTerms = 64;

/** @param neighbours volumes on this cluster that the same pod mounts */
export function placeMover(placement: Placement | undefined, neighbours: readonly PersistentVolume[]): Placement {
  const required = neighbours
    .map(({ spec }) => spec?.nodeAffinity?.required?.nodeSelectorTerms ?? [])
    .filter((terms) => terms.length > 0);
  if (required.length === 0) return placement ?? {};
  const wanted = nodeAffinityOf(placement);
  const own = wanted?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const nodeSelectorTerms = required.reduce(bothOf, own);
  const nodeAffinity = { ...wanted, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
  return { ...placement, affinity: { nodeAffinity } };
}

/** Terms are alternatives: one of either side must hold at the same time. */
function bothOf(one: NodeTerms, other: NodeTerms): NodeTerms {
  if (one.length === 0 || one.length * other.length > maxTerms) return other;
  return one.flatMap((left) =>
    other.map((right) => ({
      matchExpressions: [...(left.matchExpressions ?? []), ...(right.matchExpressions ?? [])],
      matchFields: [...(left.matchFields ?? []), ...(right.matchFields ?? [])],
    })),
  );
}

interface NodeAffinity {
  readonly requiredDuringSchedulingIgnoredDuringExecution?: { readonly nodeSelectorTerms: NodeTerms } | undefined;
}

// Taken from a pod that an API server accepted; this cluster's API server checks it again.
function nodeAffinityOf(placement: Placement | undefined): NodeAffinity | undefined {
  const affinity = placement?.affinity;
  if (typeof affinity !== 'object' || affinity === null || !('nodeAffinity' in affinity)) return undefined;
  return affinity.nodeAffinity as NodeAffinity;
}
