import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { migrations } from '../crds/v1alpha1/index.ts';
import { core } from '../kube/client/core.ts';
import { assertGolden, type TerminalWorld, terminalWorld } from './terminal-world.ts';

const namespace = 'stork-system';
const fresh = () => terminalWorld({ kinds: 'Absent' });

const agentObjects = ({ servers }: TerminalWorld) =>
  servers.east.objects().filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/managed-by'] === 'stork-agent');

function goStork(replicas: number) {
  const template = {
    metadata: { labels: { name: 'stork' } },
    spec: { containers: [{ name: 'stork', image: 'openstorage/stork:23.11.0' }] },
  };
  const spec = { replicas, selector: { matchLabels: { name: 'stork' } }, template };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'stork', namespace: 'kube-system', labels: { name: 'stork' } },
    spec,
  };
}

/** The fake establishes no CRD by itself. */
async function establish(world: TerminalWorld): Promise<void> {
  const client = world.servers.east.client();
  for (const crd of world.servers.east.objects().filter(isWaiting)) {
    const conditions = [{ type: 'Established', status: 'True' }];
    const body = { status: { conditions } };
    await client.patch(
      core.customResourceDefinitions,
      crd.metadata,
      { type: 'merge', body },
      { subresource: 'status' },
    );
  }
}

const isWaiting = ({ kind, status }: { kind: string; status?: unknown }) =>
  kind === 'CustomResourceDefinition' && status === undefined;

async function installing(world: TerminalWorld, line: string): Promise<number> {
  let code: number | undefined;
  const running = world.run(line).then((ended) => {
    code = ended;
  });
  for (let step = 0; step < 200 && code === undefined; step += 1) {
    await establish(world);
    await world.clock.advance(500);
  }
  await running;
  return code ?? -1;
}

describe('install', () => {
  it('prints every object without asking a server', async () => {
    const world = fresh();
    assert.equal(
      await world.run(
        'install --dry-run=client -o yaml --image example.org/stork-agent:9 --pair-endpoint stork.example.org:443',
      ),
      0,
    );
    const objects = world.transcript().split('\n---\n');
    assert.equal(world.servers.east.objects().length, 4);
    await assertGolden(
      'install.yaml',
      objects.filter((text) => !text.includes('kind: CustomResourceDefinition')).join('\n---\n'),
    );
  });

  it('applies them, and again without a change', async () => {
    const world = fresh();
    assert.equal(await installing(world, 'install --wait=false'), 0);
    assert.equal(agentObjects(world).length, 49);
    assert.equal(await installing(world, 'install --wait=false'), 0);
    await assertGolden('install.txt', world.transcript());
  });

  it('waits for the agent, telling what keeps it', async () => {
    const world = fresh();
    assert.equal(await installing(world, 'install --wait=false --replicas 2'), 0);
    const containerStatuses = [
      { name: 'agent', restartCount: 0, state: { waiting: { reason: 'ErrImagePull', message: 'no such image' } } },
    ];
    const metadata = { name: 'stork-agent-1', namespace, labels: { 'app.kubernetes.io/name': 'stork-agent' } };
    world.servers.east.seed(core.pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      status: Object({ containerStatuses }),
    });
    assert.equal(await installing(world, 'install --timeout 4s --replicas 2'), 1);
    assert.match(world.transcript(), /waiting for the agent: stork-agent-1 ErrImagePull no such image/);
    const status = { observedGeneration: 99, replicas: 2, updatedReplicas: 2, availableReplicas: 2, readyReplicas: 2 };
    const client = world.servers.east.client();
    await client.patch(
      core.deployments,
      { namespace, name: 'stork-agent' },
      { type: 'merge', body: { status } },
      { subresource: 'status' },
    );
    assert.equal(await installing(world, 'install --timeout 4s --replicas 2'), 1);
    assert.match(world.transcript(), /admission of migrations does not work: requests pass without it/);
    const trust = [{ op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: 'Y2E=' }] as const;
    const guard = { name: 'stork-webhook' };
    await client.patch(core.mutatingWebhookConfigurations, guard, { type: 'json', body: trust });
    assert.equal(await installing(world, 'install --replicas 2'), 0);
    assert.match(world.transcript(), /The agent is ready in namespace stork-system/);
    assert.equal(await world.run('status'), 0);
  });

  it('refuses beside a live Go Stork, not beside a stopped one', async () => {
    const world = fresh();
    world.servers.east.seed(core.deployments, goStork(1));
    assert.equal(await world.run('install'), 1);
    assert.deepEqual(agentObjects(world), []);
    assert.match(world.transcript(), /a Go Stork is running here \(Deployment kube-system\/stork\)/);
    world.servers.east.seed(core.deployments, goStork(0));
    assert.equal(await installing(world, 'install --wait=false'), 0);
  });

  it('names objects of a former Stork that would not fit', async () => {
    const world = terminalWorld();
    const metadata = { name: 'old', namespace: 'default' };
    const object = {
      apiVersion: migrations.apiVersion,
      kind: 'Migration',
      metadata,
      spec: { clusterPair: 'x', namspaces: ['y'] },
    };
    world.servers.east.seed(migrations, Object(object));
    assert.equal(await world.run('install --dry-run=server'), 0);
    assert.match(
      world.transcript(),
      /Warning: doesn't fit our schema: Migration default\/old: spec.namspaces is not a field/,
    );
  });

  it('takes over nothing that it did not make', async () => {
    const world = fresh();
    const spec = { selector: { app: 'mine' }, ports: [{ port: 1 }] };
    world.servers.east.seed(core.services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'stork-pair', namespace },
      spec,
    });
    assert.equal(await world.run('install'), 1);
    assert.match(
      world.transcript(),
      /there is a Service stork-system\/stork-pair already that kubectl stork did not make/,
    );
    assert.deepEqual(agentObjects(world), []);
  });
});

describe('uninstall', () => {
  it('removes what install made, keeps kinds and what others made', async () => {
    const world = fresh();
    assert.equal(await installing(world, 'install --wait=false'), 0);
    const client = world.servers.east.client();
    await client.delete(core.services, { namespace, name: 'stork-pair' });
    world.servers.east.seed(core.services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'stork-pair', namespace },
      spec: {},
    });
    assert.equal(await world.run('uninstall --keep-namespace'), 0);
    assert.deepEqual(
      [...new Set(agentObjects(world).map(({ kind }) => kind))],
      ['Namespace', 'CustomResourceDefinition'],
    );
    assert.notEqual(await client.find(core.services, { namespace, name: 'stork-pair' }), undefined);
    assert.match(world.transcript(), /service\/stork-pair kept: kubectl stork did not make it/);
  });

  it('refuses while a migration runs; --crds removes objects too', async () => {
    const world = fresh();
    assert.equal(await installing(world, 'install --wait=false'), 0);
    const metadata = { name: 'm', namespace: 'default' };
    world.servers.east.seed(migrations, {
      apiVersion: migrations.apiVersion,
      kind: 'Migration',
      metadata,
      status: { stage: 'Volumes' },
    });
    assert.equal(await world.run('uninstall'), 1);
    assert.match(world.transcript(), /migration default\/m is under way/);
    assert.equal(await world.run('uninstall --force --crds'), 0);
    assert.deepEqual(
      agentObjects(world).map(({ kind }) => kind),
      [],
    );
  });
});
