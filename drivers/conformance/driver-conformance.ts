/**
 * The suite that proves a driver against drivers/driver.ts. Facets are tested when the driver declares them; a driver
 * without a facet is not asked for it. `makeWorld` is called once for each group of tests.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { StorkError } from '../../kube/errors.ts';
import type { Driver, VolumeRef } from '../driver.ts';
import { cloneConformance, resizeConformance } from './clone-resize-conformance.ts';
import { type DriverWorld, foreignVolume } from './driver-world.ts';
import { snapshotsConformance } from './snapshots-conformance.ts';

export interface ConformanceSubject {
  /** Of the test group, e.g. `csi on the fake API server`. */
  readonly name: string;
  readonly facets: readonly ('snapshots' | 'clone' | 'resize')[];
  makeWorld(): Promise<DriverWorld>;
}

/** How often an idempotent call is repeated, as csi-sanity's IdempotentCount. */
export const repeats = 5;

export function driverConformance(subject: ConformanceSubject): void {
  describe(`driver conformance: ${subject.name}`, () => {
    let world: DriverWorld;
    let driver: Driver;
    before(async () => {
      world = await subject.makeWorld();
      driver = world.start().driver;
    });
    after(async () => await world[Symbol.asyncDispose]());

    it('has a stable lower-case name and the facets it declares', () => {
      assert.match(driver.name, /^[a-z][a-z0-9-]*$/);
      assert.equal(world.start().driver.name, driver.name);
      const has = (['snapshots', 'clone', 'resize'] as const).filter((facet) => driver[facet] !== undefined);
      assert.deepEqual(has, subject.facets);
    });
    coreConformance(() => ({ world, driver }));
    if (subject.facets.includes('snapshots')) snapshotsConformance(() => world);
    if (subject.facets.includes('clone')) cloneConformance(() => world);
    if (subject.facets.includes('resize')) resizeConformance(() => world);

    it('inspects more volumes than a page holds, where storage has so many', async (context) => {
      if (world.makeManyVolumes === undefined) return context.skip('this storage makes no thousand volumes');
      await using crowded = await subject.makeWorld();
      const refs = (await crowded.makeManyVolumes?.(1100)) ?? [];
      assert.equal((await crowded.start().driver.inspect(refs)).size, refs.length);
    });
  });
}

/** A volume that storage never had. */
export const unknownVolume: VolumeRef = {
  claim: { namespace: 'default', name: 'never-was', uid: '00000000-dead-4000-8000-000000000000' },
  volume: 'pvc-never-was',
};

/** Rejects with a StorkError of this code that waiting doesn't cure. */
export async function assertRefused(call: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(call, (error) => error instanceof StorkError && error.code === code && !error.retryable);
}

export async function assertAborts(call: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const reason = new Error('the agent stops');
  await assert.rejects(call(AbortSignal.abort(reason)), (error) => error === reason);
}

function coreConformance(get: () => { readonly world: DriverWorld; readonly driver: Driver }): void {
  it('owns its volumes and no others', async () => {
    const { world, driver } = get();
    const ref = await world.makeVolume('mine');
    assert.equal(driver.owns({ pv: await world.persistentVolume(ref) }), true);
    assert.equal(driver.owns({ pv: foreignVolume }), false);
    assert.equal(driver.owns({}), false);
  });

  it('names nodes once each, with a reason unless they are Online', async () => {
    const nodes = await get().driver.nodes();
    assert.equal(new Set(nodes.map((node) => node.node)).size, nodes.length);
    for (const node of nodes) assert.equal(node.status === 'Online', node.reason === '', JSON.stringify(node));
    await assertAborts((signal) => get().driver.nodes(signal));
  });

  it('inspects volumes in a batch, the same each time', async () => {
    const { world, driver } = get();
    const refs = [await world.makeVolume('a'), await world.makeVolume('b')];
    const facts = await driver.inspect(refs);
    assert.deepEqual([...facts.keys()].toSorted(), refs.map((ref) => ref.volume).toSorted());
    for (const ref of refs) {
      const fact = facts.get(ref.volume);
      assert.deepEqual(fact?.ref, ref);
      assert.ok((fact?.sizeBytes ?? 0n) > 0n);
      assert.ok((fact?.accessModes.length ?? 0) > 0);
    }
    const again = await driver.inspect(refs);
    const stable = (map: typeof facts) => [...map.values()].map((fact) => ({ ...fact, usedBytes: undefined }));
    assert.deepEqual(stable(again), stable(facts));
    await assertAborts((signal) => driver.inspect(refs, signal));
  });

  it('leaves out volumes it does not know, and those whose claim is another one now', async () => {
    const { world, driver } = get();
    const ref = await world.makeVolume('known');
    const remade = { ...ref, claim: { ...ref.claim, uid: unknownVolume.claim.uid } };
    assert.equal((await driver.inspect([unknownVolume, remade])).size, 0);
    assert.deepEqual([...(await driver.inspect([unknownVolume, ref])).keys()], [ref.volume]);
    assert.equal((await driver.inspect([])).size, 0);
  });

  it('keeps sizes beyond 2^53 exact, where storage can pretend', async (context) => {
    const { world, driver } = get();
    const sizeBytes = 2n ** 53n + 1n;
    const ref = await world.makeHugeVolume?.(sizeBytes);
    if (ref === undefined) return context.skip('this storage makes no huge volumes');
    assert.equal((await driver.inspect([ref])).get(ref.volume)?.sizeBytes, sizeBytes);
  });
}
