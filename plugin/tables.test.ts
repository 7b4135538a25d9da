import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyDefaults } from '../crds/schema/index.ts';
import {
  applicationRegistrations,
  clusterPairs,
  type MigrationStatus,
  migrations,
  resourceTransformations,
  rules,
} from '../crds/v1alpha1/index.ts';
import { core } from '../kube/client/core.ts';
import { assertGolden, type TerminalWorld, terminalWorld } from './terminal-world.ts';

const v1 = 'stork.libopenstorage.org/v1alpha1';
const created = (time: string) => ({ creationTimestamp: `2019-07-09T${time}Z` });

function seedMigration(
  { servers }: TerminalWorld,
  name: string,
  status: MigrationStatus | undefined,
  namespace = 'mysql',
) {
  const metadata = { name, namespace, ...created('02:04:00') };
  const spec = { clusterPair: 'remotecluster', namespaces: [namespace] };
  servers.east.seed(
    migrations,
    applyDefaults(migrations.schema, { apiVersion: v1, kind: 'Migration', metadata, spec, status }),
  );
}

function seedDemo(world: TerminalWorld) {
  seedMigration(world, 'mysqlmigration', {
    stage: 'Final',
    status: 'Successful',
    finishTimestamp: '2019-07-09T02:05:16Z',
    summary: { totalNumberOfVolumes: 1, numOfMigratedVolumes: 1, totalNumberOfResources: 8, numOfMigratedResources: 8 },
    progress: { bytesSent: 327_155_712 },
    activeSide: 'east is active',
  });
  world.servers.east.seed(clusterPairs, {
    apiVersion: v1,
    kind: 'ClusterPair',
    metadata: { name: 'remotecluster', namespace: 'mysql', ...created('02:00:00') },
    spec: {},
    status: {
      storageStatus: 'Ready',
      schedulerStatus: 'Ready',
      peer: { cluster: 'west', fingerprint: 'SHA256:abcdefghijklmnop' },
      roundTripMs: 1.234,
      lastSeenTime: '2019-07-09T02:05:59Z',
    },
  });
  const action = {
    type: 'command',
    background: true,
    runInSinglePod: false,
    value: `x \${WAIT_CMD}`,
    onError: 'Fail',
  } as const;
  const metadata = { name: 'lock', namespace: 'mysql', ...created('02:01:00') };
  world.servers.east.seed(rules, {
    apiVersion: v1,
    kind: 'Rule',
    metadata,
    rules: [{ podSelector: { app: 'mysql' }, actions: [action] }],
  });
  const specs = {
    transformSpecs: [
      { resource: '/v1/Service', paths: [{ path: 'spec.type', value: 'NodePort', operation: 'modify' as const }] },
    ],
  };
  world.servers.east.seed(resourceTransformations, {
    apiVersion: v1,
    kind: 'ResourceTransformation',
    metadata: { name: 'node-ports', namespace: 'mysql', ...created('02:02:00') },
    specs,
    status: { status: 'Ready' },
  });
  const suspendOptions = { path: 'spec.members', type: 'int', value: '0' } as const;
  world.servers.east.seed(applicationRegistrations, {
    apiVersion: v1,
    kind: 'ApplicationRegistration',
    metadata: { name: 'queues' },
    resources: [{ group: 'example.com', version: 'v1', kind: 'Queue', keepStatus: false, suspendOptions }],
  });
}

describe('tables', () => {
  it('P25: shows objects as Stork does', async () => {
    const world = terminalWorld();
    seedDemo(world);
    await world.run('get clusterpair --all-namespaces');
    await world.run('get migration -n mysql');
    await world.run('get migration -n mysql -o wide');
    await world.run('get cp -n mysql -o wide --no-headers');
    await world.run('get rules -n mysql');
    await world.run('get resourcetransformations -n mysql');
    await world.run('get appreg');
    await world.run('get migration');
    await world.run('get migration -A -l app=none');
    await world.run('get migration -n mysql -o name');
    await world.run('get migration mysqlmigration -n mysql -o jsonpath={.status.stage}{"\\n"}');
    await world.run('get migration nope -n mysql');
    await world.run('get migration nope -n mysql --ignore-not-found');
    await world.run('get migration -n mysql -o csv');
    await assertGolden('tables.txt', world.transcript());
  });

  it('shows a running one, and one that nobody has picked up', async () => {
    const world = terminalWorld();
    seedMigration(world, 'new', undefined);
    seedMigration(world, 'running', {
      stage: 'Volumes',
      status: 'InProgress',
      summary: { volumes: '1/2', resources: '0/0' },
    });
    await world.run('get migrations -n mysql');
    await assertGolden('tables-running.txt', world.transcript());
  });

  it('prints rows as they change', async () => {
    const world = terminalWorld();
    seedDemo(world);
    const interrupt = new AbortController();
    const watching = world.run('get migration -n mysql -w', { interrupt: interrupt.signal });
    await world.settle();
    seedMigration(world, 'second', undefined);
    await world.settle();
    const client = world.servers.east.client();
    const key = { namespace: 'mysql', name: 'second' };
    const patch = { type: 'merge', body: { status: { stage: 'Volumes', status: 'InProgress' } } } as const;
    await client.patch(migrations, key, patch, { subresource: 'status' });
    await world.settle();
    await client.delete(migrations, key);
    await world.settle();
    interrupt.abort();
    assert.equal(await watching, 130);
    await assertGolden('watch.txt', world.transcript());
  });

  it('status tells what ended last, and how much was left out', async () => {
    const world = terminalWorld();
    for (const [minute, name] of ['first', 'second', 'third', 'fourth', 'fifth', 'sixth'].entries())
      seedMigration(world, name, {
        ...{ stage: 'Final', status: 'Successful', finishTimestamp: `2019-07-09T02:0${minute}:00Z` },
        skipped: { total: minute, groups: [] },
      });
    world.servers.east.seed(core.deployments, {
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'stork-agent', namespace: 'stork-system' } },
      spec: { selector: {}, template: {} },
      status: { readyReplicas: 1 },
    });
    assert.equal(await world.run('status'), 0);
    const text = world.transcript();
    assert.match(
      text,
      /Migrations that ended last:\nNAMESPACE +NAME .* SKIPPED +ENDED\nmysql +sixth .* 5 +09 Jul 19 02:05 UTC/,
    );
    assert.match(text, /second/);
    assert.doesNotMatch(text, /first/);
    assert.match(text, /kubectl stork describe migration\/NAME/);
  });

  it('masks credentials that Stork manifests carry', async () => {
    const world = terminalWorld();
    world.servers.east.seed(clusterPairs, {
      apiVersion: v1,
      kind: 'ClusterPair',
      metadata: {
        name: 'inline',
        namespace: 'default',
        annotations: {
          'kubectl.kubernetes.io/last-applied-configuration': '{"spec":{"options":{"token":"hunter5","ip":"a"}}}\n',
        },
      },
      spec: {
        config: {
          users: {
            u: { token: 'hunter2', 'client-key-data': 'hunter3' },
            v: { exec: { command: 'login', args: ['hunter6'], env: [{ name: 'P', value: 'hunter7' }] } },
            w: { 'auth-provider': { name: 'oidc', config: { 'client-secret': 'hunter8' } }, password: 'hunter9' },
          },
        },
        options: { token: 'hunter4' },
      },
    });
    await world.run('get clusterpair inline -o yaml');
    await world.run('get clusterpair inline -o jsonpath={.spec}');
    assert.doesNotMatch(world.transcript(), /hunter/);
  });

  it('keeps control characters of others from the terminal', async () => {
    const world = terminalWorld();
    seedMigration(world, 'evil', { activeSide: '\u001b[2Jgone\nsecond line' });
    await world.run('get migration -n mysql -o wide');
    assert.ok(!world.transcript().includes('\u001b'));
    assert.equal(world.transcript().split('\n').length, 5);
  });
});
