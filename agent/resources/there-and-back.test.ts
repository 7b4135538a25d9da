import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeClient } from '../../kube/client/client.ts';
import { type CronJob, core, type Deployment } from '../../kube/client/core.ts';
import { systemClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { activateNamespace, deactivateNamespace } from './activation.ts';
import { applyObjects, identityOfServiceAccount } from './apply/apply-objects.ts';
import { collectResources } from './collect/collect-resources.ts';
import { orderObjects } from './order-objects.ts';
import { transformObject } from './transform/transform-object.ts';

const clock = systemClock();
const namespaces = ['shop'];

async function migrate(from: KubeClient, to: KubeClient): Promise<ReadonlyMap<string, string>> {
  const collected = await collectResources({ client: from }, { namespaces, registrations: [] });
  const context = { pairId: 'pair-1', namespaces, serviceAddresses: 'Clear', registrations: [] } as const;
  const waves = orderObjects(collected.objects.map((object) => transformObject(object, context)));
  const results = new Map<string, string>();
  const grant = { namespaces, clusterScopedKinds: [] };
  const migration = { namespace: 'shop', name: 'm', time: clock.now().toISOString() };
  const identity = identityOfServiceAccount('stork-system/stork-peer');
  for (const objects of waves) {
    const applied = await applyObjects(
      { client: to, clock, identity },
      { objects, pairId: 'pair-1', migration, grant },
    );
    for (const { ref, result, reason } of applied)
      results.set(ref.kind, reason === undefined ? result : `${result}: ${reason}`);
  }
  return results;
}

const deployment: Deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
  },
};

const cronJob: CronJob = {
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'report', namespace: 'shop' },
  spec: {
    schedule: '0 4 * * *',
    suspend: false,
    jobTemplate: { spec: { template: { spec: { containers: [{ name: 'a', image: 'a' }] } } } },
  },
};

describe('an application that goes to the other cluster and comes back', () => {
  it('runs on one side at a time, with its original counts, and is never a stranger', async () => {
    const a = fakeApiServer({ clock }).client();
    const b = fakeApiServer({ clock }).client();
    const stateOf = async (client: KubeClient) => {
      const web = await client.get(core.deployments, { namespace: 'shop', name: 'web' });
      const report = await client.get(core.cronJobs, { namespace: 'shop', name: 'report' });
      return [web.spec?.replicas, report.spec?.suspend];
    };
    await a.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    await a.create(core.deployments, deployment, { fieldManager: 'kubectl' });
    await a.create(core.cronJobs, cronJob, { fieldManager: 'kubectl' });

    await migrate(a, b);
    assert.deepEqual(await stateOf(a), [3, false], 'the source runs on');
    assert.deepEqual(await stateOf(b), [0, true], 'the copy rests');

    await deactivateNamespace({ client: a }, { namespace: 'shop', originals: 'Stop' });
    await activateNamespace({ client: b }, 'shop');
    assert.deepEqual(
      [await stateOf(a), await stateOf(b)],
      [
        [0, true],
        [3, false],
      ],
    );

    const scaled = { type: 'merge', body: { spec: { replicas: 4 } } } as const;
    await b.patch(core.deployments, { namespace: 'shop', name: 'web' }, scaled, { fieldManager: 'kubectl' });
    const back = await migrate(b, a);
    assert.deepEqual([back.get('Deployment'), back.get('CronJob')], ['Updated', 'Updated']);
    assert.deepEqual(await stateOf(a), [0, true], 'the original rests until it is activated');

    await deactivateNamespace({ client: b }, { namespace: 'shop', originals: 'Leave' });
    await activateNamespace({ client: a }, 'shop');
    assert.deepEqual(
      [await stateOf(a), await stateOf(b)],
      [
        [4, false],
        [0, true],
      ],
    );

    const again = await migrate(a, b);
    assert.ok(
      [...again.values()].every((result) => /^(Updated|Unchanged)/.test(result)),
      JSON.stringify([...again]),
    );
    assert.deepEqual(
      [await stateOf(a), await stateOf(b)],
      [
        [4, false],
        [0, true],
      ],
    );
  });
});
