/**
 * The controllers of Deployments and StatefulSets, for those labelled `test/runs`: as many pods as replicas say. One call
 * does what is due once. `AtOnce`: pods that are told to end are gone with the next call; else a kubelet sees to it.
 */
import type { AnyObject, KubeClient } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';

export const runsLabel = 'test/runs';

export async function runWorkloads(client: KubeClient, ending: 'AtOnce' | 'Kubelet'): Promise<void> {
  const labelSelector = `${runsLabel}=yes`;
  const names = new Map<string, string>();
  for (const resource of [core.deployments, core.statefulSets] as const)
    for await (const { apiVersion, kind, metadata, spec } of client.list(resource, { labelSelector })) {
      const { name, namespace = '', uid = '' } = metadata;
      for (let ordinal = 0; ordinal < (spec?.replicas ?? 1); ordinal += 1) {
        const pod = { namespace, name: `${name}-${ordinal}` };
        names.set(`${namespace}/${pod.name}`, uid);
        if ((await client.find(core.pods, pod)) !== undefined) continue;
        await client.create(core.pods, {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: {
            ...pod,
            labels: { app: name, [runsLabel]: 'yes' },
            ownerReferences: [{ apiVersion, kind, name, uid, controller: true }],
          },
          spec: { ...spec?.template.spec, containers: [{ name: 'app' }], nodeName: 'n1' },
        });
        if (ending === 'AtOnce')
          await client.patch(core.pods, pod, { type: 'merge', body: running }, { subresource: 'status' });
      }
    }
  for await (const { metadata } of client.list(core.pods, { labelSelector })) {
    const key = { namespace: metadata.namespace ?? '', name: metadata.name };
    const wanted = names.get(`${key.namespace}/${key.name}`) === metadata.ownerReferences?.[0]?.uid;
    if (metadata.deletionTimestamp === undefined && !wanted) await client.delete(core.pods, key);
    else if (metadata.deletionTimestamp !== undefined && ending === 'AtOnce')
      await client.delete(core.pods, key, { gracePeriodSeconds: 0 });
  }
}

const running = { status: { phase: 'Running' } };

/** A Deployment whose pods mount the claims. */
export function aWriter(
  name: string,
  claims: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
): AnyObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'db', labels: { app: name, [runsLabel]: 'yes' } },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 2,
          containers: [{ name: 'app', image: 'app' }],
          volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
        },
      },
      ...more,
    },
  };
}
