/**
 * Deletes claims that came by a pair and that its source has no more; their volumes are kept. First the volume is set to
 * Retain and labelled, then the claim goes, in exactly the version that was looked at: killed in between, nothing is lost
 * and a repeat ends in the same state.
 */
import { agentName } from '../../../crds/agent-names.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import { core, type PersistentVolumeClaim } from '../../../kube/client/core.ts';
import { isConflict, isForbidden } from '../../../kube/errors.ts';
import { isMissing, type PurgeFacts, type PurgeScope } from '../../resources/purge/decide-purge.ts';
import type { PurgedObject } from '../../resources/purge/purge-objects.ts';
import { refOf } from '../../resources/resource-ref.ts';
import { decidePurgeClaim } from './decide-purge-claim.ts';
import type { DestinationServices } from './destination-services.ts';
import { type ClusterFacts, gatherClusterFacts, nameBusy } from './gather-claim-facts.ts';

/** Label of a volume whose claim was purged. */
export const purgedLabel = 'stork.libopenstorage.org/purged';

interface ClaimPurge {
  /** Acts as the grant's ServiceAccount. */
  readonly writer: KubeClient;
  readonly facts: PurgeFacts;
  /** By namespace, why nothing is deleted there. */
  readonly running: ReadonlyMap<string, string>;
}

export async function purgeClaims(
  services: DestinationServices,
  of: ClaimPurge & { readonly scopes: readonly PurgeScope[] },
  signal?: AbortSignal,
): Promise<readonly PurgedObject[]> {
  const results: PurgedObject[] = [];
  if (of.scopes.length === 0) return results;
  const namespaces = of.scopes.map(({ namespace }) => namespace);
  const cluster = await gatherClusterFacts(services.client, services.records, namespaces, signal);
  for (const scope of of.scopes) {
    const names = new Set(scope.names);
    const { namespace } = scope;
    for await (const claim of services.client.list(core.persistentVolumeClaims, { namespace, signal })) {
      if (!isMissing(claim.metadata.name, scope, names)) continue;
      const result = await purgeClaim(services, { ...of, cluster, claim }, signal);
      if (result !== undefined) results.push(result);
    }
  }
  return results;
}

/** `undefined`: it is not ours to purge, or somebody changed it just now. */
async function purgeClaim(
  services: DestinationServices,
  of: ClaimPurge & { readonly cluster: ClusterFacts; readonly claim: PersistentVolumeClaim },
  signal: AbortSignal | undefined,
): Promise<PurgedObject | undefined> {
  const { claim, cluster, facts } = of;
  const { namespace = '', name, uid = '', resourceVersion } = claim.metadata;
  const key = `${namespace}/${name}`;
  const busy = cluster.busy.get(key);
  const decision = decidePurgeClaim({
    request: facts,
    claim: {
      ...{ namespace, name, uid },
      terminating: claim.metadata.deletionTimestamp !== undefined,
      labels: claim.metadata.labels ?? {},
      annotations: claim.metadata.annotations ?? {},
    },
    record: await services.records.findClaim(namespace, name, signal),
    running: of.running.get(namespace),
    pods: cluster.podsByClaim.get(key) ?? [],
    busyWith: busy === undefined ? undefined : nameBusy(busy, facts.pairId),
  });
  const ref = refOf(claim);
  if (decision.do === 'leave') return undefined;
  if (decision.do === 'refuse') return { ref, result: 'Failed', reason: decision.reason };
  if (facts.mode === 'Plan') return { ref, result: 'Purged', reason: 'its volume is kept, Released' };
  try {
    const kept = await keepVolume(services.client, claim, signal);
    if (kept === undefined) return { ref, result: 'Failed', reason: 'its volume could not be kept: it has none' };
    await of.writer.delete(core.persistentVolumeClaims, { namespace, name }, { uid, resourceVersion, signal });
    return { ref, result: 'Purged', reason: `its volume ${kept} is kept, Released` };
  } catch (error) {
    if (isConflict(error)) return undefined;
    if (!isForbidden(error)) throw error;
    return { ref, result: 'Failed', reason: "the grant's ServiceAccount may not delete it" };
  }
}

/** The volume's name, once nothing deletes it with its claim. */
async function keepVolume(
  client: KubeClient,
  claim: PersistentVolumeClaim,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const volume = await client.find(core.persistentVolumes, { name: claim.spec?.volumeName ?? '-' }, { signal });
  if (volume === undefined || volume.spec?.claimRef?.uid !== claim.metadata.uid) return undefined;
  const { name, resourceVersion } = volume.metadata;
  const body = {
    metadata: { resourceVersion, labels: { [purgedLabel]: 'true' } },
    spec: { persistentVolumeReclaimPolicy: 'Retain' },
  };
  await client.patch(core.persistentVolumes, { name }, { type: 'merge', body }, { fieldManager: agentName, signal });
  return name;
}
