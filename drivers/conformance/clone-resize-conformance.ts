/** The contracts of CloneFacet and ResizeFacet. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertAborts, assertRefused, repeats, unknownVolume } from './driver-conformance.ts';
import { type DriverWorld, eventually } from './driver-world.ts';

export function cloneConformance(getWorld: () => DriverWorld): void {
  describe('clone', () => {
    it('makes one claim with the source’s content, repeated and with a lost reply', async () => {
      const world = getWorld();
      const source = await world.makeVolume('twin');
      const target = { namespace: source.claim.namespace, name: `clone-${source.claim.name}` };
      const process = world.start();
      process.loseNextReply();
      await assert.rejects(async () => await process.driver.clone?.ensure(source, target));
      const { clone } = world.start().driver;
      for (let count = 0; count < repeats; count += 1) await clone?.ensure(source, target);
      assert.equal(await world.read(target), 'twin');
      await world.write(source, 'changed');
      assert.equal(await world.read(target), 'twin');
    });

    it('refuses an unknown source and a target that exists for something else', async () => {
      const world = getWorld();
      const { clone } = world.start().driver;
      assert.ok(clone);
      await assertRefused(clone.ensure(unknownVolume, { namespace: 'default', name: 'c' }), 'VolumeUnknown');
      const [one, two] = [await world.makeVolume('1'), await world.makeVolume('2')];
      const target = { namespace: one.claim.namespace, name: `clone-${one.claim.name}` };
      await clone.ensure(one, target);
      await assertRefused(clone.ensure(two, target), 'NameTaken');
      await assertAborts((signal) => clone.ensure(one, target, signal));
    });
  });
}

export function resizeConformance(getWorld: () => DriverWorld): void {
  describe('resize', () => {
    it('grows to the asked size, once, and never shrinks', async () => {
      const world = getWorld();
      const volume = await world.makeVolume('grows');
      const process = world.start();
      const { resize } = process.driver;
      assert.ok(resize);
      const before = (await process.driver.inspect([volume])).get(volume.volume)?.sizeBytes ?? 0n;
      assert.equal(await resize.ensure(volume, before), 'Done');
      await eventually(
        world,
        () => resize.ensure(volume, before * 2n),
        (state) => state === 'Done',
      );
      await assertRefused(resize.ensure(volume, before), 'ShrinkRefused');
      await assertAborts((signal) => resize.ensure(volume, before * 4n, signal));
      await assertRefused(resize.ensure(unknownVolume, before), 'VolumeUnknown');
    });
  });
}
