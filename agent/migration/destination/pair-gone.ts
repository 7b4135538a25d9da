/**
 * Whether the pair over which something came can ever be used again, from its ClusterPair on this cluster: a link that is
 * down comes back, a pair that either side has revoked never does.
 */
import { type ClusterPair, clusterPairs } from '../../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import { findCondition } from '../../../kube/runtime/conditions.ts';
import { parseKey } from '../../../kube/runtime/key.ts';
import type { ReceiveRecord } from '../records.ts';

type Of = Pick<ReceiveRecord, 'pair' | 'pairId' | 'started'>;

/** In doubt it is there: then only time gives up what it left. */
export function decidePairGone(pair: ClusterPair | undefined, of: Of): 'Gone' | 'There' {
  if (pair === undefined || pair.metadata.deletionTimestamp !== undefined) return 'Gone';
  const { pairId, conditions } = pair.status ?? {};
  if (findCondition(conditions, 'Ready')?.reason === 'Revoked') return 'Gone';
  if (pairId !== undefined && pairId !== '') return pairId === of.pairId ? 'There' : 'Gone';
  // Another of the same name, made after the first was deleted.
  return Date.parse(pair.metadata.creationTimestamp ?? '') > Date.parse(of.started) ? 'Gone' : 'There';
}

export async function observePairGone(client: KubeClient, of: Of, signal?: AbortSignal): Promise<'Gone' | 'There'> {
  return decidePairGone(await client.find(clusterPairs, parseKey(of.pair), { signal }), of);
}
