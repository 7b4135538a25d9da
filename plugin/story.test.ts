import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keptBecauseAnnotation, keptUntilAnnotation, requesterAnnotation } from '../crds/agent-names.ts';
import { applyDefaults } from '../crds/schema/index.ts';
import { clusterPairs, migrations, rules } from '../crds/v1alpha1/index.ts';
import { core } from '../kube/client/core.ts';
import { assertGolden, type TerminalWorld, terminalWorld } from './terminal-world.ts';

const namespace = 'mysql';
const apiVersion = 'stork.libopenstorage.org/v1alpha1';
const uid = '6f0f0a52-0000-4000-8000-000000000001';
const at = (time: string) => `2019-07-09T${time}Z`;

const finished = applyDefaults(migrations.schema, {
  apiVersion,
  kind: 'Migration',
  metadata: {
    ...{ name: 'mysqlmigration', namespace, uid, creationTimestamp: at('02:04:00') },
    annotations: { [requesterAnnotation]: '{"username":"ann@example.org","groups":["shop-owners"]}' },
  },
  spec: { clusterPair: 'remote', namespaces: [namespace], includeVolumes: true, includeResources: true },
  status: {
    stage: 'Final',
    status: 'PartialSuccess',
    reason: 'A resource was skipped',
    activeSide: 'This cluster is the active side',
    volumeMigrationFinishTimestamp: at('02:05:00'),
    resourceMigrationFinishTimestamp: at('02:05:20'),
    finishTimestamp: at('02:05:21'),
    progress: { bytesSent: 62_914_560 },
    volumes: [
      {
        namespace,
        persistentVolumeClaim: 'mysql-data',
        status: 'Successful',
        mode: 'update',
        snapshot: 's',
        cutTimestamp: at('02:04:10'),
        bytesRead: 1_073_741_824,
        bytesSent: 62_914_560,
      },
    ],
    resources: [
      { kind: 'Service', name: 'mysql', namespace, status: 'Successful' },
      { kind: 'Secret', name: 'tls', namespace, status: 'PartialSuccess', reason: 'is another’s\u001b[2J there' },
    ],
    summary: { volumes: '1/1', resources: '1/2' },
    skipped: {
      total: 13,
      groups: [
        { kind: 'ReplicaSet', reason: 'deployment web makes it again', count: 11, names: [`${namespace}/web-1`] },
        {
          kind: 'ConfigMap',
          reason: 'every cluster makes its own',
          count: 1,
          names: [`${namespace}/kube-root-ca.crt`],
        },
      ],
    },
    rule: {
      blockedMilliseconds: 812,
      pre: {
        rule: 'lock',
        position: 'Pre',
        attempt: 0,
        ruleDigest: 'd',
        steps: [
          {
            id: '0.0',
            kind: 'Background',
            onError: 'Fail',
            targets: [{ namespace, pod: 'mysql-0', podUid: 'u', container: 'db', state: 'Done', heldMs: 812 }],
          },
        ],
      },
    },
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'PartialSuccess',
        message: 'A resource was skipped',
        lastTransitionTime: at('02:05:21'),
      },
    ],
  },
});

function seedAll(world: TerminalWorld): void {
  const { east } = world.servers;
  east.seed(migrations, finished);
  for (const [index, reason] of ['Volumes', 'Applications', 'Final'].entries())
    east.seed(core.events, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `e${index}`, namespace },
      involvedObject: { kind: 'Migration', namespace, name: 'mysqlmigration', uid },
      type: 'Normal',
      reason,
      message: 'the former stage is done',
      count: index + 1,
      lastTimestamp: at(`02:0${index + 3}:00`),
    });
  east.seed(clusterPairs, {
    apiVersion,
    kind: 'ClusterPair',
    metadata: { name: 'remote', namespace, creationTimestamp: at('02:00:00') },
    spec: {
      config: { users: { u: { token: 'hunter2' } } },
      grant: { namespaces: [namespace], directions: ['Send'], serviceAccount: 'stork-peer' },
    },
    status: {
      schedulerStatus: 'Error',
      storageStatus: 'Error',
      conditions: [
        {
          type: 'Joined',
          status: 'False',
          reason: 'KubeconfigUnauthorized',
          message: 'The other cluster does not accept the credentials',
          lastTransitionTime: at('02:00:01'),
        },
      ],
    },
  });
  east.seed(rules, {
    apiVersion,
    kind: 'Rule',
    metadata: { name: 'lock', namespace, creationTimestamp: at('02:00:00') },
    rules: [
      {
        podSelector: { app: 'mysql' },
        actions: [
          { type: 'command', background: true, runInSinglePod: false, onError: 'Fail', value: `sync; \${WAIT_CMD}` },
        ],
      },
    ],
  });
}

describe('describe', () => {
  it('tells the story of a migration, a cluster pair and a rule', async () => {
    const world = terminalWorld();
    seedAll(world);
    assert.equal(await world.run('describe migration/mysqlmigration -n mysql'), 0);
    assert.equal(await world.run('describe clusterpair remote -n mysql'), 0);
    assert.equal(await world.run('describe rule/lock -n mysql'), 0);
    assert.equal(await world.run('describe pod/x'), 1);
    assert.equal(await world.run('describe migration'), 1);
    assert.equal(await world.run('describe migration/other -n mysql'), 1);
    assert.doesNotMatch(world.transcript(), /hunter/);
    assert.ok(!world.transcript().includes('\u001b'));
    await assertGolden('describe.txt', world.transcript());
  });
});

describe('what is kept of an overwritten volume', () => {
  it('is told with its end and what to do, and listed by status', async () => {
    const world = terminalWorld();
    const labels = { 'app.kubernetes.io/managed-by': 'stork-agent' };
    const kept = (name: string, until: string) =>
      world.servers.east.seed(core.volumeSnapshots, {
        apiVersion: 'snapshot.storage.k8s.io/v1',
        kind: 'VolumeSnapshot',
        metadata: {
          ...{ name, namespace, labels },
          annotations: { [keptUntilAnnotation]: until, [keptBecauseAnnotation]: 'mysql-data was overwritten' },
        },
        spec: { source: { persistentVolumeClaimName: 'mysql-data' } },
        status: { readyToUse: true, creationTime: at('02:00:00'), restoreSize: '1Gi' },
      });
    kept('stork-undo-1', '2019-07-16T02:00:00Z');
    kept('stork-undo-2', 'for good');
    world.servers.east.seed(core.deployments, {
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'stork-agent', namespace: 'stork-system' } },
      status: { readyReplicas: 1 },
    });
    await world.run('describe volumesnapshot/stork-undo-1 -n mysql');
    await world.run('describe vs stork-undo-2 -n mysql');
    assert.equal(await world.run('status'), 0);
    await assertGolden('describe-kept.txt', world.transcript());
  });
});

describe('logs', () => {
  const line = (second: number, fields: object) =>
    `2019-07-09T02:04:${String(second).padStart(2, '0')}.000000000Z ${JSON.stringify(fields)}\n`;
  const agentLog = [
    line(1, { time: 't', level: 'info', message: 'advance', uid, key: 'mysql/m', stage: '', next: 'Volumes' }),
    line(2, { time: 't', level: 'info', message: 'advance', uid: 'another', stage: '', next: 'Volumes' }),
    line(4, { time: 't', level: 'warn', message: 'mover stream ended early', run: 'run-1', role: 'source' }),
  ];
  const moverLog = [line(3, { outcome: 'Done', bytes: 7 }), '2019-07-09T02:04:05.000000000Z plain \u001b[2Jtext\n'];

  const worldWithLogs = (more: readonly string[] = [], before: readonly string[] = []) => {
    let asked = 0;
    const world = terminalWorld({
      onLogs: ({ pod, timestamps }) => {
        assert.equal(timestamps, 'Yes');
        if (pod !== 'stork-agent-1') return moverLog.join('');
        asked += 1;
        return [...before, ...agentLog, ...(asked === 1 ? [] : more)].join('');
      },
    });
    const pod = (name: string, inNamespace: string, labels: Readonly<Record<string, string>>) =>
      world.servers.east.seed(core.pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: inNamespace, labels },
      });
    pod('stork-agent-1', 'stork-system', { 'app.kubernetes.io/name': 'stork-agent' });
    pod('stork-read-run-1-x', namespace, {
      'stork.libopenstorage.org/operation': uid,
      'stork.libopenstorage.org/run': 'run-1',
    });
    return world;
  };

  it('tells how far a copy is, volume by volume, with rate and time that is left', async () => {
    const world = terminalWorld();
    const [data] = finished.status?.volumes ?? [];
    const moving = { ...data, status: 'InProgress' as const, bytesRead: 2 ** 29, bytesSent: 2 ** 28 };
    const progress = {
      bytesDone: 2 ** 29,
      bytesTotal: 2 ** 30,
      bytesSent: 2 ** 28,
      bytesPerSecond: 2 ** 26,
      etaSeconds: 8,
    };
    const status = { stage: 'Volumes', status: 'InProgress', volumes: [moving], progress } as const;
    world.servers.east.seed(migrations, { ...finished, status });
    await world.run('describe migration/mysqlmigration -n mysql');
    await world.run('get migration -n mysql -o wide');
    const text = world.transcript();
    assert.match(text, /mysql\/mysql-data +InProgress +update +.* 512 MiB +256 MiB/);
    assert.match(text, /Volumes \(0\/1; 256 MiB sent, 50%, 512 MiB of 1 GiB, 64 MiB\/s, ETA 8s\)/);
    assert.match(text, /50%, 512 MiB of 1 GiB, 64 MiB\/s, ETA 8s +256 MiB/);
  });

  it('shows the lines of one operation, agents and movers in the order of time', async () => {
    const world = worldWithLogs();
    seedAll(world);
    assert.equal(await world.run('logs migration/mysqlmigration -n mysql'), 0);
    assert.equal(await world.run('logs migration mysqlmigration -n mysql --tail 1 -o json'), 0);
    assert.equal(await world.run('logs migration/other -n mysql'), 1);
    assert.equal(await world.run('logs clusterpair/remote'), 1);
    assert.doesNotMatch(world.transcript(), /another/);
    assert.ok(!world.transcript().includes('\u001b'));
    await assertGolden('logs.txt', world.transcript());
  });

  it("shows the destination's half by the name on the source, also while it follows", async () => {
    const come = { operation: uid, migration: 'mysql/mysqlmigration', pair: 'stork-system/east' };
    const theirs = { operation: 'other', migration: 'mysql/mysqlmigration', pair: 'stork-system/north' };
    const ended = line(9, { level: 'info', message: 'incoming migration ended', operation: uid });
    const world = worldWithLogs(
      [ended],
      [
        line(0, { level: 'info', message: 'receiving volumes', ...come }),
        line(0, { level: 'info', message: 'receiving volumes', ...theirs }),
        line(5, { level: 'info', message: 'applied resources', ...come, Created: 7, left: ['Secret mysql/tls'] }),
        line(6, { level: 'info', message: 'applied resources', ...theirs, Created: 1 }),
      ],
    );
    assert.equal(await world.run('logs migration/mysqlmigration -n mysql --peer east'), 0);
    assert.equal(await world.run('logs migration/mysqlmigration -n mysql --peer west'), 1);
    assert.equal(await world.run('logs migration/mysqlmigration -n shop'), 1);
    await assertGolden('logs-incoming.txt', world.transcript());
    const following = world.run('logs migration/mysqlmigration -n mysql -f');
    await world.clock.advance(1500);
    assert.equal(await following, 0);
    assert.match(world.transcript(), /came over pair stork-system\/east and stork-system\/north[\s\S]*--peer PAIR/);
  });

  it('follows until the migration has ended, each line once', async () => {
    const world = worldWithLogs([line(9, { time: 't', level: 'info', message: 'finish', uid, reason: 'Successful' })]);
    const { status: _, ...running } = finished;
    world.servers.east.seed(migrations, running);
    const following = world.run('logs migration/mysqlmigration -n mysql -f');
    await world.clock.advance(1500);
    const key = { namespace, name: 'mysqlmigration' };
    const client = world.servers.east.client();
    const body = { status: { stage: 'Final', status: 'Successful' } };
    await client.patch(migrations, key, { type: 'merge', body }, { subresource: 'status' });
    await world.clock.advance(1500);
    assert.equal(await following, 0);
    const shown = world.transcript().split('\n');
    for (const message of ['next=Volumes', 'run=run-1', 'finish', 'plain'])
      assert.equal(shown.filter((one) => one.includes(message)).length, 1, message);
  });
});
