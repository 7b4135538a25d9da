/** Who uses claims on this cluster: pods, and nodes that volumes are attached to. Movers aside. */
import { isManagedByAgent } from '../../../crds/agent-names.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import { core, type Pod } from '../../../kube/client/core.ts';
import { agentLabels } from '../names.ts';

type Claims = readonly { readonly namespace: string; readonly name: string }[];

export interface ClaimUse {
  /** Pods that mount one of the claims, or will, and have not ended. */
  readonly active: readonly string[];
  /** Those of them that have started a container: they have the volume. */
  readonly mounting: readonly string[];
}

export async function findUse(client: KubeClient, claims: Claims, signal?: AbortSignal): Promise<ClaimUse> {
  const active = (await podsOf(client, claims, signal)).filter((pod) => !hasEnded(pod));
  return { active: namesOf(active), mounting: namesOf(active.filter(isMounting)) };
}

/** Pods that have had one of the claims since then, ended ones too. */
export async function findUsersSince(
  client: KubeClient,
  claims: Claims,
  since: string,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const sinceMs = Date.parse(since);
  const pods = await podsOf(client, claims, signal);
  return namesOf(pods.filter((pod) => startTimes(pod).some((started) => started.getTime() > sinceMs)));
}

/** Nodes to which a volume is attached though no mover of this run is there: a pod may be gone and its node still write. */
export async function findOtherNodes(
  client: KubeClient,
  of: { readonly volumes: readonly string[]; readonly run: string; readonly namespace: string },
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const own = new Set<string | undefined>();
  const labelSelector = `${agentLabels.run}=${of.run}`;
  for await (const { spec } of client.list(core.pods, { namespace: of.namespace, labelSelector, signal }))
    own.add(spec?.nodeName);
  const nodes = new Set<string>();
  for await (const { spec, status } of client.list(core.volumeAttachments, { signal })) {
    const volume = spec.source.persistentVolumeName;
    if (volume === undefined || !of.volumes.includes(volume) || status?.attached !== true) continue;
    if (!own.has(spec.nodeName)) nodes.add(spec.nodeName);
  }
  return [...nodes];
}

export const hasEnded = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

async function podsOf(client: KubeClient, claims: Claims, signal: AbortSignal | undefined): Promise<readonly Pod[]> {
  const wanted = new Set(claims.map(({ namespace, name }) => `${namespace}/${name}`));
  const found: Pod[] = [];
  for (const namespace of new Set(claims.map((claim) => claim.namespace))) {
    for await (const pod of client.list(core.pods, { namespace, signal })) {
      if (isManagedByAgent(pod.metadata)) continue;
      const names = (pod.spec?.volumes ?? []).map((volume) => volume.persistentVolumeClaim?.claimName);
      if (names.some((name) => wanted.has(`${namespace}/${name}`))) found.push(pod);
    }
  }
  return found;
}

/** Volumes are mounted before a container starts; a pod that waits for them is Pending and has started none. */
const isMounting = (pod: Pod): boolean => (pod.status?.phase ?? 'Pending') !== 'Pending' || startTimes(pod).length > 0;

const namesOf = (pods: readonly Pod[]): readonly string[] => pods.map(({ metadata }) => metadata.name);

function startTimes({ status }: Pod): readonly Date[] {
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return containers
    .flatMap(({ state, lastState }) => [state?.running, state?.terminated, lastState?.terminated])
    .flatMap((part) => (part?.startedAt === undefined ? [] : [new Date(part.startedAt)]));
}
