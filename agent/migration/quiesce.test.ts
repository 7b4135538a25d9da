import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { migrations } from '../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { at } from '../resources/fields.ts';
import { storkNames } from '../resources/names.ts';
import { anApplication, turnUntil } from './testing/an-application.ts';
import { mustBeBack, plain, web } from './testing/an-application-on-plain-storage.ts';
import { aWriter, runsLabel } from './testing/fake-workloads.ts';
import { look, put } from './testing/objects.ts';
import type { TwoClusters } from './testing/two-clusters.ts';

const podsOf = ({ a }: TwoClusters) =>
  a.server.objects().filter(({ kind, metadata }) => kind === 'Pod' && metadata.labels?.[runsLabel] === 'yes').length;

const isStopped = async (world: TwoClusters): Promise<boolean> => {
  const { status } = await world.a.client.get(migrations, { namespace: 'db', name: 'm' });
  return status?.quiesce?.stoppedTimestamp !== undefined;
};

describe('quiesce', () => {
  it('stops what writes volumes without snapshots while they are read, and brings it back as it was', async () => {
    const world = await plain(web);
    await world.migrate(world.a, 'm', { quiesce: true });
    let reads = 0;
    for (let turns = 0; turns < 25; turns++) {
      await world.turn(world.a, 'm');
      const reading = [...world.a.world.jobs.running.values()].filter(
        ({ request }) => request.namespace === 'db' && request.role === 'source',
      );
      reads += reading.length;
      if (reading.some(({ sight }) => sight.job === 'Running')) assert.equal(podsOf(world), 0);
    }
    const { status } = await world.a.client.get(migrations, { namespace: 'db', name: 'm' });
    assert.ok(reads > 0);
    assert.equal(status?.status, 'Successful', status?.reason ?? '');
    assert.equal(world.b.world.contentOf('db', 'files'), 'pages');
    assert.equal(podsOf(world), 2);
    await mustBeBack(world, web);
    const [workload] = status?.quiesce?.workloads ?? [];
    assert.deepEqual([workload?.name, workload?.state, workload?.before], ['web', 'Resumed', 'replicas 2']);
    const volume = status?.volumes?.find(({ persistentVolumeClaim: name }) => name === 'files');
    assert.match(volume?.reason ?? '', /read while what writes it was stopped/);
    const there = await look(world.b, web);
    assert.equal(there?.metadata.annotations?.[storkNames.migrationReplicas], '2');
    assert.equal(there?.metadata.annotations?.[storkNames.quiesced], undefined);
  });

  it('brings it back as soon as what it writes is copied, whatever else is still on its way', async () => {
    const world = await plain(web);
    await world.migrate(world.a, 'm', { quiesce: true, quiesceTimeoutSeconds: 60 });
    world.b.world.jobs.stuck.add('data');
    for (let turns = 0; turns < 70; turns++) await world.turn(world.a, 'm');
    const { status } = await world.a.client.get(migrations, { namespace: 'db', name: 'm' });
    assert.equal(status?.stage, 'Volumes', status?.reason ?? '');
    assert.notEqual(status?.quiesce?.resumedTimestamp, undefined);
    assert.equal(podsOf(world), 2);
    world.b.world.jobs.stuck.clear();
    const ended = await world.finish(world.a, 'm');
    assert.equal(ended.status, 'Successful', ended.reason ?? '');
    await mustBeBack(world, web);
  });

  it('without it the live volume is read, nothing is stopped, and the volume says so', async () => {
    const world = await plain(web);
    await world.migrate(world.a, 'm', {});
    const status = await world.finish(world.a, 'm');
    assert.equal(status.quiesce, undefined);
    assert.equal(podsOf(world), 2);
    const volume = status.volumes?.find(({ persistentVolumeClaim: name }) => name === 'files');
    assert.match(volume?.reason ?? '', /the live volume was read/);
  });

  it('stops nothing where every volume has snapshots', async () => {
    const world = await anApplication();
    await put(world.a, aWriter('web', ['data']));
    await world.migrate(world.a, 'm', { quiesce: true });
    const status = await world.finish(world.a, 'm');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    assert.equal(status.quiesce, undefined);
  });

  it('never scales a StatefulSet down that would delete its claims then', async () => {
    const world = await plain(statefulSet);
    const policyOf = async () => {
      const found = await look(world.a, statefulSet);
      const whenScaled = at(found, ['spec', 'persistentVolumeClaimRetentionPolicy', 'whenScaled']);
      return `${String(at(found, ['spec', 'replicas']))} ${String(whenScaled)}`;
    };
    await world.migrate(world.a, 'm', { quiesce: true });
    await turnUntil(world, 'm', () => isStopped(world));
    assert.equal(await policyOf(), '0 Retain');
    const status = await world.finish(world.a, 'm');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    assert.equal(await policyOf(), '1 Delete');
    await mustBeBack(world, statefulSet);
  });

  it('brings it back at the deadline, copied or not, and fails by name', async () => {
    const world = await plain(web);
    await world.migrate(world.a, 'm', { quiesce: true, quiesceTimeoutSeconds: 60 });
    await turnUntil(world, 'm', () => isStopped(world));
    world.link.ready = 'No';
    for (let turns = 0; turns < 70; turns++) await world.turn(world.a, 'm');
    await world.turn(world.a, 'm');
    assert.equal(at(await look(world.a, web), ['spec', 'replicas']), 2);
    world.link.ready = 'Yes';
    const status = await world.finish(world.a, 'm');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /had to come back/);
    await mustBeBack(world, web);
  });

  it('fails when something starts it again while it is copied', async () => {
    const world = await plain(web);
    await world.migrate(world.a, 'm', { quiesce: true });
    await turnUntil(world, 'm', () => isStopped(world));
    world.a.server.seed(core.pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'intruder', namespace: 'db' },
      spec: { containers: [{ name: 'x' }], volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'files' } }] },
    });
    const status = await world.finish(world.a, 'm');
    assert.equal(status.status, 'Failed');
    assert.match(status.reason ?? '', /pod db\/intruder uses a volume that is copied/);
    await mustBeBack(world, web);
  });

  it('is a plan before it is done: a dry run names what would be stopped, and stops nothing', async () => {
    const world = await plain(web);
    await world.migrate(world.a, 'm', { quiesce: true, dryRun: true });
    const status = await world.finish(world.a, 'm');
    assert.deepEqual(status.plan?.stops, ['deployment db/web']);
    assert.equal(podsOf(world), 2);
  });
});

const statefulSet: AnyObject = {
  ...aWriter('web', ['files'], { persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete' } }),
  kind: 'StatefulSet',
};

describe('quiesce refuses before anything is stopped', () => {
  const bare = { containers: [{ name: 'x' }], volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'files' } }] };
  const job = { apiVersion: 'batch/v1', kind: 'Job', name: 'load', uid: 'uid-of-load', controller: true };
  for (const [what, owner, reason] of [
    ['a pod that stands alone', [], /belongs to no workload/],
    ['a pod of a job', [job], /a job is not stopped/],
  ] as const)
    it(what, async () => {
      const world = await plain(web);
      const { apiVersion, kind, name, uid } = job;
      const spec = { template: { spec: bare } };
      world.a.server.seed(core.jobs, { apiVersion, kind, metadata: { name, namespace: 'db', uid }, spec });
      const metadata = { name: 'alone', namespace: 'db', ownerReferences: owner };
      world.a.server.seed(core.pods, { apiVersion: 'v1', kind: 'Pod', metadata, spec: bare });
      await world.migrate(world.a, 'm', { quiesce: true });
      const status = await world.finish(world.a, 'm');
      assert.equal(status.status, 'Failed');
      assert.match(status.reason ?? '', reason);
      assert.equal(podsOf(world), 2);
    });

  it('a StatefulSet that deletes its claims when it is scaled down, where Git would set that back', async () => {
    const { metadata } = statefulSet;
    const annotations = { 'argocd.argoproj.io/tracking-id': 'web:apps/StatefulSet:db/web' };
    const world = await plain({ ...statefulSet, metadata: { ...metadata, annotations } });
    await world.migrate(world.a, 'm', { quiesce: true });
    const status = await world.finish(world.a, 'm');
    assert.match(status.reason ?? '', /deletes its claims when it is scaled down .*Argo CD .*set it to Retain in Git/);
    assert.equal(podsOf(world), 1);
  });
});
