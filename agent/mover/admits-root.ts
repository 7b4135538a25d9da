/**
 * Whether a namespace admits movers as they are by default. A mover sets owners, modes and capabilities of files that belong to
 * anybody, so it runs as root with the few capabilities that Pod Security's `baseline` allows; `restricted` allows no root.
 * There one that only reads files runs as the pod that uses them (mover-identity.ts); devices, and updates, need root. Pure.
 */
import type { Namespace } from '../../kube/client/core.ts';

const enforceLabel = 'pod-security.kubernetes.io/enforce';

export const admitsRoot = ({ metadata }: Pick<Namespace, 'metadata'>): 'Yes' | 'No' =>
  metadata.labels?.[enforceLabel] === 'restricted' ? 'No' : 'Yes';

export const admitHint = (namespace: string): string =>
  `Let it admit them while volumes move: kubectl label namespace ${namespace} ${enforceLabel}=baseline --overwrite.`;
