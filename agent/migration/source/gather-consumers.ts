/**
 * Who mounts which claims together: pods that run, and the workloads that will make pods once they are started (an
 * application that was scaled down to be moved has no pods, and its volumes belong together all the same).
 */
import { isManagedByAgent } from '../../../crds/agent-names.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import { core, type Pod, type StatefulSet } from '../../../kube/client/core.ts';
import type { ConsumerPod } from './plan-groups.ts';

export type PodSpec = NonNullable<Pod['spec']>;

export interface Consumer extends ConsumerPod {
  readonly spec: PodSpec;
}

/** Running pods first, then templates; `claims` are the namespace's claim names. */
export async function gatherConsumers(
  client: KubeClient,
  namespace: string,
  claims: readonly string[],
  signal?: AbortSignal,
): Promise<readonly Consumer[]> {
  const consumers: Consumer[] = [];
  for await (const pod of client.list(core.pods, { namespace, signal })) {
    if (isRunning(pod) && pod.spec !== undefined)
      consumers.push({ namespace, name: pod.metadata.name, claims: claimsOf(pod.spec), spec: pod.spec });
  }
  for await (const deployment of client.list(core.deployments, { namespace, signal })) {
    const spec = deployment.spec?.template.spec;
    if (spec !== undefined)
      consumers.push({ namespace, name: `deployment/${deployment.metadata.name}`, claims: claimsOf(spec), spec });
  }
  for await (const set of client.list(core.statefulSets, { namespace, signal }))
    consumers.push(...replicasOf(set, claims));
  return consumers;
}

export function isRunning(pod: Pod): boolean {
  const ended = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
  return !ended && !isManagedByAgent(pod.metadata);
}

export function claimsOf(spec: PodSpec): readonly string[] {
  return (spec.volumes ?? [])
    .map((volume) => volume.persistentVolumeClaim?.claimName)
    .filter((name) => name !== undefined);
}

/** One consumer for each ordinal that has claims: `<template>-<set>-<ordinal>`, beside what its pods share. Pure. */
export function replicasOf(set: StatefulSet, claims: readonly string[]): readonly Consumer[] {
  const spec = set.spec?.template.spec;
  if (spec === undefined) return [];
  const { name, namespace = '' } = set.metadata;
  const templates = (set.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => `${metadata?.name}-${name}-`);
  const owned = claims.flatMap((claim) => {
    const prefix = templates.find((template) => claim.startsWith(template));
    const ordinal = prefix === undefined ? '' : claim.slice(prefix.length);
    return /^\d+$/.test(ordinal) ? [{ claim, ordinal }] : [];
  });
  const shared = claimsOf(spec);
  return [...Map.groupBy(owned, ({ ordinal }) => ordinal)].map(([ordinal, of]) => ({
    namespace,
    name: `statefulset/${name}-${ordinal}`,
    claims: [...of.map(({ claim }) => claim), ...shared],
    spec,
  }));
}
