import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { MigrationSpecInput } from '../../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import { ApiError } from '../../../kube/errors.ts';
import { collectMigration } from '../source/collect.ts';
import type { SourceServices } from '../source/source-services.ts';
import { claim, database, kept, migrated, settings } from '../testing/a-migrated-application.ts';
import { aPod } from '../testing/an-application.ts';
import { aConfigMap, aNamespace, aService, aServiceAccount, change, drop, look, put } from '../testing/objects.ts';
import type { TwoClusters } from '../testing/two-clusters.ts';

async function purge(world: TwoClusters, spec: Partial<MigrationSpecInput> = {}) {
  await world.migrate(world.a, 'second', { purgeDeletedResources: true, ...spec });
  const status = await world.finish(world.a, 'second');
  const purged = (status.resources ?? []).filter((one) => one.status === 'Purged').map(({ name }) => name ?? '');
  return { status, purged: purged.toSorted() };
}

describe('purgeDeletedResources', () => {
  let world: TwoClusters;
  beforeEach(async () => {
    world = await migrated();
  });

  it('M8: what an earlier migration brought goes with the StatefulSet and claim it had here, status Purged', async () => {
    await drop(world.a, database, settings, claim);
    const { status, purged } = await purge(world);
    assert.equal(status.status, 'Successful', status.reason ?? '');
    assert.deepEqual(purged, ['db', 'extra', 'settings']);
    assert.equal(await look(world.b, database), undefined);
    assert.equal(await look(world.b, settings), undefined);
    assert.equal(await look(world.b, claim), undefined);
    assert.notEqual(await look(world.b, kept), undefined);
    assert.notEqual(await look(world.b, aService('db')), undefined);
    assert.match(status.summary?.resources ?? '', /^(\d+)\/\1$/, 'what was purged did not migrate');
  });

  it('M8: the volume of a purged claim is kept, whatever its StorageClass says', async () => {
    const { spec } = await world.b.client.get(core.persistentVolumeClaims, { namespace: 'db', name: 'extra' });
    await drop(world.a, claim);
    const { status } = await purge(world);
    const told = status.resources?.find(({ name }) => name === 'extra');
    assert.match(told?.reason ?? '', new RegExp(`${spec?.volumeName} is kept`));
    const volume = await world.b.client.get(core.persistentVolumes, { name: spec?.volumeName ?? '' });
    assert.equal(volume.spec?.persistentVolumeReclaimPolicy, 'Retain');
    assert.equal(volume.metadata.labels?.['stork.libopenstorage.org/purged'], 'true');
    assert.equal(world.b.world.storage.volumes.get(spec?.volumeName ?? '')?.content, 'the only copy');
  });

  it('M8: foreign objects, accounts and what is annotated stay', async () => {
    const account = aServiceAccount('worker');
    await put(world.a, account);
    await put(world.b, aConfigMap('foreign'));
    await world.migrate(world.a, 'with-account', {});
    await world.finish(world.a, 'with-account');
    await change(world.b, kept, { metadata: { annotations: { 'stork.libopenstorage.org/skip-resource': 'true' } } });
    await drop(world.a, settings, kept, account);
    const { purged } = await purge(world);
    assert.deepEqual(purged, ['settings']);
    assert.notEqual(await look(world.b, aConfigMap('foreign')), undefined);
    assert.notEqual(await look(world.b, kept), undefined);
    assert.notEqual(await look(world.b, account), undefined);
  });

  it('M8: what is left out, but still here, is not purged; what selectors leave out is not looked at', async () => {
    await change(world.a, settings, {
      metadata: { annotations: { 'stork.libopenstorage.org/skip-resource': 'true' } },
    });
    await drop(world.a, kept);
    const { purged } = await purge(world, { selectors: { app: 'db' } });
    assert.deepEqual(purged, []);
    assert.notEqual(await look(world.b, settings), undefined);
  });

  it('M8: without the flag nothing is deleted; with a kind excluded nothing of it', async () => {
    await drop(world.a, settings, claim);
    await world.migrate(world.a, 'plain', {});
    await world.finish(world.a, 'plain');
    assert.notEqual(await look(world.b, settings), undefined);
    const { purged } = await purge(world, { excludeResourceTypes: ['persistentvolumeclaim', 'ConfigMap'] });
    assert.deepEqual(purged, []);
    assert.notEqual(await look(world.b, claim), undefined);
  });

  it('M8: nothing is purged when a kind could not be read on the source', async () => {
    await drop(world.a, settings);
    const blind: KubeClient = {
      ...world.a.client,
      list(resource, options) {
        if (resource.kind === 'Secret') throw forbidden();
        return world.a.client.list(resource, options);
      },
    };
    const collect: SourceServices['collect'] = (...asked) => collectMigration(blind, ...asked);
    Object.assign(world.a.source, { collect });
    const { status, purged } = await purge(world);
    assert.equal(status.status, 'PartialSuccess');
    assert.match(status.reason ?? '', /nothing was purged, because Secret could not be read/);
    assert.deepEqual(purged, []);
    assert.notEqual(await look(world.b, settings), undefined);
  });

  it('M8: nothing is purged under an application that runs over there', async () => {
    await world.b.destination.activate(world.b.client, { namespaces: ['db'] });
    await drop(world.a, settings);
    const { status, purged } = await purge(world, { includeVolumes: false });
    assert.equal(status.status, 'PartialSuccess');
    assert.match(status.reason ?? '', /statefulset db\/db runs on the destination: deactivate it first/);
    assert.deepEqual(purged, []);
    assert.notEqual(await look(world.b, settings), undefined);
  });

  it('M8: what Git manages over there stays, claims too, and the status says who manages it', async () => {
    const annotations = { 'argocd.argoproj.io/tracking-id': 'shop:/ConfigMap:db/settings' };
    for (const taken of [settings, claim]) await change(world.b, taken, { metadata: { annotations } });
    await drop(world.a, settings, kept, claim);
    const { status, purged } = await purge(world);
    assert.equal(status.status, 'PartialSuccess');
    for (const name of ['settings', 'extra']) {
      const told = status.resources?.find((one) => one.name === name && one.status === 'Failed');
      assert.match(told?.reason ?? '', /Argo CD \(application shop\) manages it on the destination/, name);
    }
    assert.deepEqual(purged, ['kept']);
    for (const taken of [settings, claim]) assert.notEqual(await look(world.b, taken), undefined);
  });

  it('M8: a claim that a pod uses over there stays, and the status names the pod', async () => {
    aPod(world.b, 'extra');
    await drop(world.a, claim);
    const { status } = await purge(world);
    assert.equal(status.status, 'PartialSuccess');
    assert.match(status.reason ?? '', /pod db\/db-0 runs on the destination/);
    assert.notEqual(await look(world.b, claim), undefined);
  });

  it('M8: a namespace that was made anew on the source purges nothing', async () => {
    const { apiVersion, kind, metadata } = await world.a.client.get(core.namespaces, { name: 'db' });
    const renewed = { ...metadata, creationTimestamp: world.clock.now().toISOString() };
    world.a.server.seed(core.namespaces, { apiVersion, kind, metadata: renewed });
    await drop(world.a, settings, claim);
    const { status, purged } = await purge(world);
    assert.equal(status.status, 'PartialSuccess');
    assert.match(status.reason ?? '', /it came before namespace db was made anew on the source/);
    assert.deepEqual(purged, []);
  });

  it('M8: a dry run tells what would go, and deletes nothing', async () => {
    await drop(world.a, settings, claim);
    await world.migrate(world.a, 'second', { purgeDeletedResources: true, dryRun: true });
    const status = await world.finish(world.a, 'second');
    const doomed = status.plan?.objects?.filter(({ action }) => action === 'Delete').map(({ name }) => name ?? '');
    assert.deepEqual(doomed?.toSorted(), ['extra', 'settings']);
    assert.notEqual(await look(world.b, settings), undefined);
    assert.notEqual(await look(world.b, claim), undefined);
  });

  it('M8: without resources it is refused, because nobody would look at what is gone', async () => {
    const { status } = await purge(world, { includeResources: false });
    assert.match(status.reason ?? '', /purgeDeletedResources needs spec.includeResources/);
  });

  it('M8: a namespace that is not migrated is not looked at', async () => {
    await put(world.b, aNamespace('other'));
    await put(world.b, { ...settings, metadata: { ...settings.metadata, namespace: 'other' } });
    await drop(world.a, settings);
    await purge(world);
    const there = { ...settings, metadata: { ...settings.metadata, namespace: 'other' } };
    assert.notEqual(await look(world.b, there), undefined);
  });
});

const forbidden = () =>
  new ApiError({ code: 403, reason: 'Forbidden', message: 'secrets is forbidden', details: {} }, 'secrets');
