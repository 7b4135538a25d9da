import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { VolumeSnapshot, VolumeSnapshotClass, VolumeSnapshotContent } from '../../kube/client/core.ts';
import { manualClock } from '../../kube/clock.ts';
import { ApiError } from '../../kube/errors.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { faulty } from '../../kube/fake/faulty.ts';
import { chooseSnapshotClass, decideSnapshotClass } from './snapshot-class.ts';
import { contentNameOf, decideSnapshotState } from './snapshot-state.ts';

function aClass(name: string, driver = 'd', isDefault = 'false'): VolumeSnapshotClass {
  return {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshotClass',
    metadata: { name, annotations: { 'snapshot.storage.kubernetes.io/is-default-class': isDefault } },
    driver,
    deletionPolicy: 'Delete',
  };
}

describe('choosing a snapshot class', () => {
  it('takes the one asked for, else the driver’s default, else its only one', () => {
    const classes = [aClass('a'), aClass('b', 'd', 'true'), aClass('other', 'x', 'true')];
    assert.equal(decideSnapshotClass(classes, 'd', 'a'), 'a');
    assert.equal(decideSnapshotClass(classes, 'd', undefined), 'b');
    assert.equal(decideSnapshotClass([aClass('only')], 'd', undefined), 'only');
  });

  it('says what is missing or ambiguous, by name', () => {
    const classes = [aClass('a'), aClass('b'), aClass('other', 'x')];
    const refusals: readonly [() => string, string, RegExp][] = [
      [() => decideSnapshotClass(classes, 'd', 'nope'), 'SnapshotClassMissing', /nope does not exist/],
      [() => decideSnapshotClass(classes, 'd', 'other'), 'SnapshotClassMissing', /is for driver x/],
      [() => decideSnapshotClass(classes, 'none', undefined), 'SnapshotClassMissing', /driver none/],
      [() => decideSnapshotClass(classes, 'd', undefined), 'SnapshotClassAmbiguous', /no default/],
    ];
    for (const [call, code, message] of refusals) assert.throws(call, { code, message, retryable: false });
    const two = [aClass('a', 'd', 'true'), aClass('b', 'd', 'true')];
    assert.throws(() => decideSnapshotClass(two, 'd', undefined), /more than one default/);
  });

  it('says that the cluster has no snapshots when their API is missing', async () => {
    const client = faulty(fakeApiServer({ clock: manualClock() }).client());
    const missing = { code: 404, reason: 'NotFound', message: 'the server could not find the requested resource' };
    client.next('listPage', new ApiError(missing, 'volumesnapshotclasses'));
    await assert.rejects(chooseSnapshotClass(client, 'd', undefined), { code: 'SnapshotSupportMissing' });
  });
});

function aSnapshot(status: VolumeSnapshot['status'], metadata: object = {}): VolumeSnapshot {
  return {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshot',
    metadata: { name: 's', uid: 'u', ...metadata },
    spec: { source: { persistentVolumeClaimName: 'c' } },
    status,
  };
}

function aContent(status: VolumeSnapshotContent['status']): VolumeSnapshotContent {
  return {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshotContent',
    metadata: { name: 'snapcontent-u' },
    spec: {
      deletionPolicy: 'Delete',
      driver: 'd',
      source: { volumeHandle: 'v' },
      volumeSnapshotRef: { namespace: 'n', name: 's' },
    },
    status,
  };
}

const creationTime = Date.UTC(2026, 0, 1) * 1e6 + 123_900_000;

describe('the state of a snapshot', () => {
  it('is pending before the storage told handle and time, and carries its complaint along', () => {
    assert.deepEqual(decideSnapshotState(aSnapshot(undefined), undefined), { phase: 'Pending' });
    const complaint = aSnapshot({ error: { message: 'busy' }, readyToUse: false });
    assert.deepEqual(decideSnapshotState(complaint, aContent({})), { phase: 'Pending', message: 'busy' });
    const half = aContent({ creationTime });
    assert.equal(decideSnapshotState(aSnapshot(undefined), half).phase, 'Pending');
  });

  it('is cut as soon as the content says so, before the snapshot’s own status, with a time not too late', () => {
    const cut = decideSnapshotState(
      aSnapshot(undefined),
      aContent({ creationTime, snapshotHandle: 'h', readyToUse: false }),
    );
    assert.deepEqual(cut, { phase: 'Cut', cutTime: '2026-01-01T00:00:00.123Z', handle: 'h' });
  });

  it('is ready with its restore size', () => {
    const content = aContent({ creationTime, snapshotHandle: 'h', readyToUse: true, restoreSize: 5 });
    const ready = decideSnapshotState(aSnapshot({ readyToUse: true, restoreSize: '1Gi' }), content);
    assert.deepEqual(ready, {
      phase: 'Ready',
      cutTime: '2026-01-01T00:00:00.123Z',
      handle: 'h',
      restoreSizeBytes: 1n << 30n,
    });
  });

  it('has failed when it is being deleted or lost its content', () => {
    const deleting = aSnapshot({ readyToUse: true }, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    assert.equal(decideSnapshotState(deleting, aContent({})).phase, 'Failed');
    assert.equal(decideSnapshotState(aSnapshot({ readyToUse: true }), undefined).phase, 'Failed');
  });

  it('finds its content before the snapshot names it', () => {
    assert.equal(contentNameOf(aSnapshot(undefined)), 'snapcontent-u');
    assert.equal(contentNameOf(aSnapshot({ boundVolumeSnapshotContentName: 'b' })), 'b');
  });
});
