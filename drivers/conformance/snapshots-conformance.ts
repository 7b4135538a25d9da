/** The contract of SnapshotsFacet: point in time, idempotency by key, crashes between calls, reading and releasing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Driver, SnapshotRequest, SnapshotsFacet, VolumeRef } from '../driver.ts';
import { assertAborts, assertRefused, repeats, unknownVolume } from './driver-conformance.ts';
import { type DriverProcess, type DriverWorld, eventually } from './driver-world.ts';

/** More changes than any single call of a driver makes. */
const maxMutations = 20;

export function snapshotsConformance(getWorld: () => DriverWorld): void {
  describe('snapshots', () => {
    let keys = 0;
    const aRequest = (volume: VolumeRef): SnapshotRequest => {
      keys += 1;
      return { key: `conf-${keys}-${volume.claim.uid.slice(-6)}`, volume, labels: { suite: 'conformance' } };
    };
    const facetOf = (driver: Driver): SnapshotsFacet => {
      assert.ok(driver.snapshots);
      return driver.snapshots;
    };
    const untilReady = (world: DriverWorld, request: SnapshotRequest) => {
      const snapshots = facetOf(world.start().driver);
      return eventually(
        world,
        () => snapshots.ensure(request),
        (state) => state.phase === 'Ready',
      );
    };
    const target = (world: DriverWorld, request: SnapshotRequest) => ({
      namespace: world.readNamespace,
      name: `read-${request.key}`,
    });
    const releaseAll = async (world: DriverWorld, request: SnapshotRequest, othersLeft = 0) => {
      const snapshots = facetOf(world.start().driver);
      const gone = (state: string) => state === 'Gone';
      await eventually(world, () => snapshots.releaseReadable(request, target(world, request)), gone);
      await eventually(world, () => snapshots.release(request), gone);
      assert.equal(await world.countSnapshots(request), othersLeft);
    };
    /** Runs `call` in processes that die at their first, second, … change, until one survives it. */
    const dieEverywhere = async (moment: 'Before' | 'After', life: (process: DriverProcess) => Promise<unknown>) => {
      for (let number = 1; number <= maxMutations; number += 1) {
        const process = getWorld().start();
        process.dieAtMutation(number, moment);
        const error = await life(process).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        if ((await process.hasDied()) === 'Yes') continue;
        if (error !== undefined) throw error;
        return;
      }
      assert.fail('it never ended without dying');
    };

    it('makes one snapshot however often and in parallel it is asked', async () => {
      const world = getWorld();
      const request = aRequest(await world.makeVolume('one'));
      const { snapshots } = world.start().driver;
      await Promise.all(Array.from({ length: repeats }, () => snapshots?.ensure(request)));
      const ready = await untilReady(world, request);
      assert.deepEqual(await snapshots?.ensure(request), ready);
      assert.deepEqual(await snapshots?.observe(request), ready);
      assert.equal(await world.countSnapshots(request), 1);
      await releaseAll(world, request);
    });

    it('shows the content of the cut, whatever is written later, in another namespace', async () => {
      const world = getWorld();
      const volume = await world.makeVolume('before');
      const request = aRequest(volume);
      const snapshots = facetOf(world.start().driver);
      await untilReady(world, request);
      await world.write(volume, 'after');
      const into = target(world, request);
      for (let count = 0; count < repeats; count += 1)
        assert.deepEqual(await snapshots.ensureReadable(request, into), into);
      assert.equal(await world.read(into), 'before');
      await eventually(
        world,
        () => snapshots.releaseReadable(request, into),
        (state) => state === 'Gone',
      );
      assert.equal((await snapshots.observe(request))?.phase, 'Ready', 'the snapshot outlives its reading');
      assert.equal(await world.countSnapshots(request), 1);
      await releaseAll(world, request);
    });

    it('tells when it was cut, and a handle that stays', async () => {
      const world = getWorld();
      const request = aRequest(await world.makeVolume('cut'));
      const snapshots = facetOf(world.start().driver);
      const cut = await eventually(
        world,
        () => snapshots.ensure(request),
        (state) => state.phase === 'Cut' || state.phase === 'Ready',
      );
      const ready = await untilReady(world, request);
      assert.ok('handle' in cut && 'handle' in ready);
      assert.ok(Number.isFinite(Date.parse(cut.cutTime)), cut.cutTime);
      assert.deepEqual([ready.handle, ready.cutTime], [cut.handle, cut.cutTime]);
      await releaseAll(world, request);
    });

    it('makes no second snapshot when the reply was lost', async () => {
      const world = getWorld();
      const request = aRequest(await world.makeVolume('lost'));
      const process = world.start();
      process.loseNextReply();
      await assert.rejects(async () => await process.driver.snapshots?.ensure(request));
      await untilReady(world, request);
      assert.equal(await world.countSnapshots(request), 1);
      await releaseAll(world, request);
    });

    for (const moment of ['Before', 'After'] as const) {
      it(`takes, reads and releases right when killed ${moment.toLowerCase()} each change`, async () => {
        const world = getWorld();
        const request = aRequest(await world.makeVolume('killed'));
        await dieEverywhere(moment, (process) => facetOf(process.driver).ensure(request));
        await untilReady(world, request);
        assert.equal(await world.countSnapshots(request), 1);
        const into = target(world, request);
        await dieEverywhere(moment, (process) => facetOf(process.driver).ensureReadable(request, into));
        assert.equal(await world.read(into), 'killed');
        await dieEverywhere(moment, (process) => facetOf(process.driver).releaseReadable(request, into));
        await dieEverywhere(moment, (process) => facetOf(process.driver).release(request));
        await releaseAll(world, request);
      });
    }

    it('tells snapshots of different keys apart', async () => {
      const world = getWorld();
      const volume = await world.makeVolume('first');
      const [first, second] = [aRequest(volume), aRequest(volume)];
      const one = await untilReady(world, first);
      await world.write(volume, 'second');
      const two = await untilReady(world, second);
      assert.ok('handle' in one && 'handle' in two && one.handle !== two.handle);
      await releaseAll(world, first, 1);
      assert.equal((await facetOf(world.start().driver).observe(second))?.phase, 'Ready');
      await releaseAll(world, second);
    });

    it('refuses a key that another volume has, and leaves that one alone', async () => {
      const world = getWorld();
      const request = aRequest(await world.makeVolume('owner'));
      await untilReady(world, request);
      const thief = { ...request, volume: await world.makeVolume('thief') };
      const snapshots = facetOf(world.start().driver);
      await assertRefused(snapshots.ensure(thief), 'NameTaken');
      await snapshots.release(thief);
      assert.equal((await snapshots.observe(request))?.phase, 'Ready');
      await releaseAll(world, request);
    });

    it('refuses an unknown volume, observes and releases what never was', async () => {
      const world = getWorld();
      const request = { key: 'conf-unknown', volume: unknownVolume, labels: {} };
      const snapshots = facetOf(world.start().driver);
      await assertRefused(snapshots.ensure(request), 'VolumeUnknown');
      assert.equal(await snapshots.observe(request), undefined);
      assert.equal(await snapshots.release(request), 'Gone');
      assert.equal(await snapshots.releaseReadable(request, target(world, request)), 'Gone');
      await assertRefused(snapshots.ensureReadable(request, target(world, request)), 'SnapshotNotReady');
    });

    it('stops when it is aborted', async () => {
      const world = getWorld();
      const request = aRequest(await world.makeVolume('abort'));
      const snapshots = facetOf(world.start().driver);
      const into = target(world, request);
      await assertAborts((signal) => snapshots.ensure(request, signal));
      await assertAborts((signal) => snapshots.observe(request, signal));
      await assertAborts((signal) => snapshots.ensureReadable(request, into, signal));
      await assertAborts((signal) => snapshots.releaseReadable(request, into, signal));
      await assertAborts((signal) => snapshots.release(request, signal));
      assert.equal(await world.countSnapshots(request), 0);
    });
  });
}
