/**
 * Which mover does what, and as whom: read a snapshot, read a live volume, write a new one, update one, of files and raw devices,
 * in namespaces with each level of Pod Security. Beside the unit tests because it is twelve migrations of two syncs each.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../../kube/client/core.ts';
import type { MoverIdentity } from '../mover/mover-identity.ts';
import { setField } from '../resources/fields.ts';
import type { MoverRequest } from './mover-jobs.ts';
import { anApplication, leftovers } from './testing/an-application.ts';
import { aWriter } from './testing/fake-workloads.ts';
import { put } from './testing/objects.ts';
import { plainClass } from './testing/plain-storage.ts';
import { agentNamespace, type Side, type TwoClusters } from './testing/two-clusters.ts';

const enforce = 'pod-security.kubernetes.io/enforce';
const claim = { namespace: 'db', name: 'files' };
const securityContext = { runAsUser: 1001, runAsGroup: 7, fsGroup: 8 };

interface Cell {
  readonly level: 'privileged' | 'baseline' | 'restricted';
  readonly cut: 'Snapshot' | 'Live';
  readonly volumeMode: 'Filesystem' | 'Block';
}

const levels = ['privileged', 'baseline', 'restricted'] as const;
const cells: readonly Cell[] = levels.flatMap((level) =>
  (['Snapshot', 'Live'] as const).flatMap((cut) =>
    (['Filesystem', 'Block'] as const).map((volumeMode) => ({ level, cut, volumeMode })),
  ),
);

/** Both sides enforce the level; on A runs what uses the claim, as who is not root. */
async function prepare(
  { level, cut, volumeMode }: Cell,
  workloadOnB: 'There' | 'Absent' = 'There',
): Promise<TwoClusters> {
  const world = await anApplication();
  for (const side of [world.a, world.b]) await enforceOn(side, level);
  await world.a.client.create(core.persistentVolumeClaims, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: claim,
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: cut === 'Live' ? plainClass : 'fast',
      volumeMode,
      resources: { requests: { storage: '1Gi' } },
    },
  });
  await world.a.world.settle();
  const volume = { name: world.a.world.volumeOf('db', 'files') ?? '' };
  await world.a.client.patch(core.persistentVolumes, volume, { type: 'merge', body: { spec: { volumeMode } } });
  await world.a.world.write('db', 'files', 'one');
  const web = setField(aWriter('web', ['files']), ['spec', 'template', 'spec', 'securityContext'], securityContext);
  await put(world.a, web);
  if (workloadOnB === 'There') await put(world.b, setField(web, ['spec', 'replicas'], 0));
  return world;
}

async function enforceOn({ server, client }: Side, level: string): Promise<void> {
  const metadata = { name: 'db', labels: { [enforce]: level } };
  if ((await client.find(core.namespaces, { name: 'db' })) === undefined)
    server.seed(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata });
  else await client.patch(core.namespaces, { name: 'db' }, { type: 'merge', body: { metadata } });
}

/** The movers of the claim that a migration ran, by role. */
async function moversOf(world: TwoClusters, name: string, expected = 'Successful') {
  const seen = new Map<string, MoverRequest>();
  await world.migrate(world.a, name, { includeResources: false });
  const look = () => {
    for (const side of [world.a, world.b])
      for (const { request } of side.world.jobs.running.values())
        if (request.volumes.some((volume) => volume.name === 'files')) seen.set(request.role, request);
  };
  for (let turns = 0; turns < 60; turns++) {
    await world.turn(world.a, name);
    look();
  }
  const status = await world.finish(world.a, name);
  assert.equal(status.status, expected, status.reason ?? '');
  const [source, destination] = [seen.get('source'), seen.get('destination')];
  assert.ok(source !== undefined && destination !== undefined);
  return { source, destination, status };
}

const user = { runAsUser: 1001, runAsGroup: 7 };
const disk = 6;

/** As whom the live volume is read, where no root is admitted. */
const reader: Readonly<Record<Cell['volumeMode'], MoverIdentity>> = {
  Filesystem: { ...user, fsGroup: 8, fsGroupChangePolicy: 'OnRootMismatch' },
  Block: { ...user, fsGroup: 8, fsGroupChangePolicy: 'OnRootMismatch', supplementalGroups: [disk] },
};
/** As whom a claim is updated: in the group, without a kubelet that would give the group to its files. */
const writer: Readonly<Record<Cell['volumeMode'], MoverIdentity>> = {
  Filesystem: { ...user, supplementalGroups: [8] },
  Block: { ...user, supplementalGroups: [8, disk] },
};

describe('movers', () => {
  for (const cell of cells)
    it(`work in a namespace that enforces ${cell.level}: ${cell.cut}, ${cell.volumeMode}`, async () => {
      const { level, cut, volumeMode } = cell;
      const world = await prepare(cell);
      const isRestricted = level === 'restricted';
      const read = {
        namespace: cut === 'Live' ? 'db' : agentNamespace,
        identity: cut === 'Live' && isRestricted ? reader[volumeMode] : undefined,
      };
      const first = await moversOf(world, 'first');
      assert.deepEqual(placeOf(first.source), read);
      // A new volume is made and filled where no policy of users applies, and then given to its claim.
      assert.deepEqual(placeOf(first.destination), { namespace: agentNamespace, identity: undefined });
      await world.a.world.write('db', 'files', 'two');
      const second = await moversOf(world, 'second');
      assert.deepEqual(placeOf(second.source), read);
      const identity = isRestricted ? writer[volumeMode] : undefined;
      assert.deepEqual(placeOf(second.destination), { namespace: 'db', identity });
      assert.equal(second.destination.mode, 'update');
      assert.equal(world.b.world.contentOf('db', 'files'), 'two');
      assert.deepEqual(leftovers(world), []);
    });

  const files: Cell = { level: 'restricted', cut: 'Snapshot', volumeMode: 'Filesystem' };

  it('update as the pods at the source run, where nothing uses the claim yet', async () => {
    const world = await prepare(files, 'Absent');
    await moversOf(world, 'first');
    await world.a.world.write('db', 'files', 'two');
    const { destination } = await moversOf(world, 'second');
    assert.deepEqual(destination.identity, writer.Filesystem);
  });

  it('count what they may not set: the volume and the migration are PartialSuccess and say so', async () => {
    const world = await prepare(files);
    await moversOf(world, 'first');
    await world.a.world.write('db', 'files', 'two');
    world.b.world.jobs.degraded.set('files', { owner: 3, special: 1 });
    const { status } = await moversOf(world, 'second', 'PartialSuccess');
    const volume = status.volumes?.find(({ persistentVolumeClaim: name }) => name === 'files');
    assert.equal(volume?.status, 'PartialSuccess');
    assert.match(volume?.reason ?? '', /could not be set on the destination: 3 × owner, 1 × special/);
    // What it has is what it must still have for the next update, which may set everything.
    world.b.world.jobs.degraded.clear();
    await world.a.world.write('db', 'files', 'three');
    await moversOf(world, 'third');
    assert.equal(world.b.world.contentOf('db', 'files'), 'three');
  });

  it('say in a plan as whom they update', async () => {
    const world = await prepare(files);
    await moversOf(world, 'first');
    await world.migrate(world.a, 'plan', { dryRun: true, includeResources: false });
    const { plan } = await world.finish(world.a, 'plan');
    const volume = plan?.volumes?.find(({ persistentVolumeClaim: name }) => name === 'files');
    assert.equal(volume?.action, 'Update');
    assert.match(volume?.reason ?? '', /updated as the user of its pods: what that may not set is counted and named/);
  });
});

const placeOf = ({ namespace, identity }: MoverRequest) => ({ namespace, identity });
