import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { applyDefaults, renderCrd } from '../../crds/schema/index.ts';
import { type ActionSpecInput, actions } from '../../crds/v1alpha1/index.ts';
import type { Impersonation, KubeClient, Resource } from '../../kube/client/client.ts';
import { core, type Deployment } from '../../kube/client/core.ts';
import { manualClock } from '../../kube/clock.ts';
import type { FakeApiServerOptions } from '../../kube/fake/fake-api-server.ts';
import { silentLog } from '../../kube/log.ts';
import { crashEverywhere } from '../../kube/runtime/crash-everywhere.ts';
import { recordEdges } from '../../kube/runtime/edge-coverage.ts';
import type { EffectRecorder } from '../../kube/runtime/effects.ts';
import { runMachine } from '../../kube/runtime/run-machine.ts';
import { createAccess } from '../requester/access.ts';
import { clusterAdmin, guardedServer, markRequester } from '../requester/testing/guarded-server.ts';
import { storkNames } from '../resources/names.ts';
import { activationMachine } from './activation-machine.ts';

const edges = recordEdges();
const machineOf = (client: KubeClient) =>
  activationMachine({ agentNamespace: 'stork-system', stashKey: 'key', access: createAccess(client) });
after(() => assert.deepEqual(edges.uncrossed(machineOf(guardedServer({ clock: manualClock() }).client())), []));

// Untyped, as renderCrd's result is.
const definitions: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};
const key = { namespace: 'stork-system', name: 'a1' };

interface Asked {
  readonly by: Impersonation;
  readonly authorize: FakeApiServerOptions['authorize'];
}

async function aCluster(
  spec: ActionSpecInput,
  namespace = 'stork-system',
  { by, authorize }: Asked = { by: clusterAdmin, authorize: undefined },
) {
  const clock = manualClock();
  const server = guardedServer({ clock, authorize });
  const client = server.client();
  await client.create(definitions, { ...renderCrd(actions) });
  const head = { apiVersion: actions.apiVersion, kind: actions.kind };
  const action = applyDefaults(actions.schema, { ...head, metadata: { name: 'a1', namespace }, spec });
  server.seed(actions, markRequester(action, by));
  const actionKey = { ...key, namespace };
  return {
    server,
    client,
    get: () => client.get(actions, actionKey),
    replicas: async (ns: string) => (await client.get(core.deployments, { namespace: ns, name: 'web' })).spec?.replicas,
    async drive(effects?: EffectRecorder) {
      const reconcile = runMachine(machineOf(client), {
        client,
        clock,
        log: silentLog(),
        onEdge: edges.onEdge,
        effects,
      });
      for (let runs = 0; runs < 20; runs += 1) {
        const result = await reconcile(`${namespace}/a1`, new AbortController().signal);
        if (result.do !== 'requeue') return;
        await clock.advance(result.seconds * 1000);
      }
      assert.fail('it never ended');
    },
  };
}

const resting = (namespace: string, count: string, replicas = 0): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'web',
    namespace,
    labels: { [storkNames.migrated]: 'true' },
    annotations: { [storkNames.migrationReplicas]: count },
  },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
  },
});

function anOriginal(namespace: string, name = 'web'): Deployment {
  const { metadata, ...rest } = resting(namespace, '2', 2);
  return { ...rest, metadata: { name, namespace: metadata.namespace ?? '' } };
}

const deactivate = (more: { readonly includeOriginals?: boolean } = {}): ActionSpecInput => ({
  actionType: 'deactivate',
  actionParameter: { deactivateParameter: { namespaces: ['shop'], ...more } },
});

const activationOf = (name: string) =>
  applyDefaults(actions.schema, {
    apiVersion: actions.apiVersion,
    kind: actions.kind,
    metadata: { name },
    spec: activate('shop'),
  });

const activate = (...namespaces: string[]): ActionSpecInput => ({
  actionType: 'activate',
  actionParameter: { activateParameter: { namespaces } },
});

describe('an Action', () => {
  it('brings the original counts, tells each, and ends Successful', async () => {
    const cluster = await aCluster(activate('shop', 'blog'));
    cluster.server.seed(core.deployments, resting('shop', '3'));
    cluster.server.seed(core.deployments, resting('blog', '2'));
    await cluster.drive();
    assert.deepEqual([await cluster.replicas('shop'), await cluster.replicas('blog')], [3, 2]);
    const { status } = await cluster.get();
    assert.deepEqual(
      [status?.stage, status?.status, status?.reason],
      ['Final', 'Successful', '2 of 2 namespaces activated'],
    );
    assert.deepEqual(status?.messages, [
      'Updated replicas for deployment shop/web to 3',
      'Updated replicas for deployment blog/web to 2',
    ]);
    assert.equal(status?.summary?.activationSummary?.[0]?.status, 'Successful');
  });

  it('deactivates, and what ran before is what activation brings back', async () => {
    const cluster = await aCluster(deactivate());
    cluster.server.seed(core.deployments, resting('shop', '3', 5));
    await cluster.drive();
    const web = await cluster.client.get(core.deployments, { namespace: 'shop', name: 'web' });
    assert.deepEqual([web.spec?.replicas, web.metadata.annotations?.[storkNames.migrationReplicas]], [0, '5']);
    assert.equal((await cluster.get()).status?.stage, 'Final');
  });

  it('stops only what came by a migration, and names what runs on', async () => {
    const cluster = await aCluster(deactivate());
    cluster.server.seed(core.deployments, resting('shop', '3', 5));
    cluster.server.seed(core.deployments, anOriginal('shop', 'own'));
    await cluster.drive();
    assert.equal(await cluster.replicas('shop'), 0);
    const own = await cluster.client.get(core.deployments, { namespace: 'shop', name: 'own' });
    assert.equal(own.spec?.replicas, 2);
    const { status } = await cluster.get();
    assert.equal(status?.status, 'Successful');
    assert.equal(status?.messages?.[1], 'Skipped deployment shop/own: it did not come by a migration');
    assert.match(status?.summary?.activationSummary?.[0]?.reason ?? '', /1 left running \(not migrated\)/);
  });

  it('stops nothing where nothing came by a migration: it is the wrong cluster', async () => {
    const cluster = await aCluster(deactivate());
    cluster.server.seed(core.deployments, anOriginal('shop'));
    await cluster.drive();
    assert.equal(await cluster.replicas('shop'), 2);
    const { status } = await cluster.get();
    assert.equal(status?.status, 'Failed');
    assert.match(
      status?.reason ?? '',
      /nothing in namespace shop came by a migration, and 1 workload runs on; is this/,
    );
    assert.deepEqual(status?.messages?.[0], 'Skipped deployment shop/web: it did not come by a migration');
  });

  it('stops the originals when told to', async () => {
    const cluster = await aCluster(deactivate({ includeOriginals: true }));
    cluster.server.seed(core.deployments, anOriginal('shop'));
    await cluster.drive();
    assert.equal(await cluster.replicas('shop'), 0);
    assert.equal((await cluster.get()).status?.status, 'Successful');
  });

  it('reaches every namespace that holds something migrated, for "*"', async () => {
    const cluster = await aCluster(activate('*'));
    cluster.server.seed(core.deployments, resting('shop', '3'));
    await cluster.drive();
    assert.equal(await cluster.replicas('shop'), 3);
    assert.equal((await cluster.get()).status?.status, 'Successful');
  });

  it('says which namespace failed and does the others', async () => {
    const cluster = await aCluster(activate('nowhere', 'shop'));
    cluster.server.seed(core.deployments, resting('shop', '3'));
    await cluster.drive();
    const { status } = await cluster.get();
    assert.deepEqual([status?.stage, status?.status], ['Final', 'Failed']);
    assert.match(status?.reason ?? '', /nowhere: namespace nowhere does not exist/);
    assert.equal(await cluster.replicas('shop'), 3);
  });

  it('in a user’s namespace reaches only that namespace', async () => {
    const cluster = await aCluster(activate('shop', 'blog'), 'shop');
    cluster.server.seed(core.deployments, resting('shop', '3'));
    await cluster.drive();
    assert.match((await cluster.get()).status?.reason ?? '', /can't activate namespace blog/);
    assert.equal(await cluster.replicas('shop'), 0);
  });

  it('refuses a type that this version does not carry out', async () => {
    const cluster = await aCluster({ actionType: 'failover', actionParameter: { failoverParameter: {} } });
    await cluster.drive();
    assert.deepEqual((await cluster.get()).status?.status, 'Failed');
  });

  it('survives being killed anywhere', async () => {
    const effects = await crashEverywhere(async () => {
      const cluster = await aCluster(activate('shop', 'blog'));
      cluster.server.seed(core.deployments, resting('shop', '3'));
      cluster.server.seed(core.deployments, resting('blog', '2'));
      return {
        run: (recorder) => cluster.drive(recorder),
        check: async (where) => {
          assert.deepEqual([await cluster.replicas('shop'), await cluster.replicas('blog')], [3, 2], where);
          assert.equal((await cluster.get()).status?.status, 'Successful', where);
        },
      };
    });
    assert.ok(effects.includes('activate namespace shop'));
  });

  const owner: Impersonation = { user: 'ann', groups: ['shop-owners'] };
  /** The agent itself may do everything; the owner patches workloads of one namespace. */
  const ownsShop: FakeApiServerOptions['authorize'] = ({ identity, verb, namespace, resource }) => {
    if (identity.user !== 'ann') return 'Allow';
    return verb === 'patch' && namespace === 'shop' && resource === 'deployments' ? 'Allow' : 'Deny';
  };

  it('does for a namespace owner what they may do themselves', async () => {
    const cluster = await aCluster(activate('shop'), 'shop', { by: owner, authorize: ownsShop });
    cluster.server.seed(core.deployments, resting('shop', '3'));
    await cluster.drive();
    assert.equal((await cluster.get()).status?.status, 'Successful');
    assert.equal(await cluster.replicas('shop'), 3);
  });

  for (const namespaces of [['shop', 'blog'], ['*']])
    it(`switches nothing of [${namespaces}] when its requester may not patch a workload of one namespace`, async () => {
      const cluster = await aCluster(activate(...namespaces), 'stork-system', { by: owner, authorize: ownsShop });
      cluster.server.seed(core.deployments, resting('shop', '3'));
      cluster.server.seed(core.deployments, resting('blog', '2'));
      await cluster.drive();
      const { status } = await cluster.get();
      assert.equal(status?.status, 'Failed');
      assert.match(status?.reason ?? '', /User ann.*may not patch deployments.apps in namespace blog/);
      assert.deepEqual([await cluster.replicas('shop'), await cluster.replicas('blog')], [0, 0]);
    });

  it('is refused when nobody can say who asked for it', async () => {
    const cluster = await aCluster(activate('shop'));
    cluster.server.seed(actions, { ...activationOf('a1'), metadata: { name: 'a1', namespace: 'stork-system' } });
    await cluster.drive();
    const { status } = await cluster.get();
    assert.equal(status?.status, 'Failed');
    assert.match(status?.reason ?? '', /does not carry the annotation.*\n.*create it again/);
  });
});
