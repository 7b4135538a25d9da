/** With image files that stand for devices, in segments of 1 MiB. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  closeSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { describe, it } from 'node:test';
import { chanceBytes, type Scratch, scratch, seededChance } from '../../mover/testing/test-volumes.ts';
import type { Repository } from '../repository.ts';
import { snapshotTrees } from '../restore/snapshot-trees.ts';
import { bringDevice, saveDevice } from '../testing/raw-device.ts';
import { bringBack, memoryRepository, save } from '../testing/save-and-restore.ts';
import { blockBytes } from './device-layout.ts';
import { dumpDevice } from './dump-device.ts';
import { openStoredDevice } from './stored-device.ts';

const mb = 1024 * 1024;
const sizeBytes = 5 * mb + 300 * 1024 + 512;

/** Content, holes, and a length that is no whole number of blocks. */
function makeImage(space: Scratch): string {
  const path = space.path('image');
  writeFileSync(path, '');
  truncateSync(path, sizeBytes);
  const chance = seededChance(7);
  write(path, 100_000, chanceBytes(chance, 200_000));
  write(path, 3 * mb - 70_000, chanceBytes(chance, 140_000));
  write(path, sizeBytes - 40, chanceBytes(chance, 40));
  return path;
}

function write(path: string, offset: number, bytes: Buffer): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
}

async function dumped(repository: Repository, path: string): Promise<Buffer> {
  const locations = await repository.loadIndex();
  const tools = { repository, locations, trees: snapshotTrees(repository, locations) };
  const tree = (await repository.snapshots()).at(-1)?.tree ?? '';
  const device = await openStoredDevice(tools, tree, path);
  return Buffer.concat(await Array.fromAsync(dumpDevice(device, tools)));
}

describe('a raw device', () => {
  it('comes back to an image with holes, in place, and as a stream', async () => {
    using space = scratch();
    const image = makeImage(space);
    const { repository } = await memoryRepository();
    const saved = await saveDevice(repository, image, { threads: 2 });
    assert.equal(saved.sizeBytes, sizeBytes);
    assert.equal(saved.entries, 6);
    assert.ok(saved.bytesAdded < mb, `${saved.bytesAdded} bytes for 340 kB of content`);
    const made = await bringDevice(repository, image, space.path('made'), { threads: 2 });
    assert.ok(readFileSync(image).equals(readFileSync(space.path('made'))));
    assert.ok(made.bytesWritten < mb && statSync(space.path('made')).blocks * 512 < mb);
    assert.ok((await dumped(repository, image)).equals(readFileSync(image)));

    write(space.path('made'), 2 * mb, Buffer.alloc(300_000, 1));
    truncateSync(space.path('made'), sizeBytes - 5000);
    appendFileSync(space.path('made'), Buffer.alloc(mb, 2));
    await bringDevice(repository, image, space.path('made'));
    assert.ok(readFileSync(image).equals(readFileSync(space.path('made'))));
    assert.equal((await bringDevice(repository, image, space.path('made'))).bytesWritten, 0);
  });

  it('costs a block and a tree for what changed, and nothing when nothing did', async () => {
    using space = scratch();
    const image = makeImage(space);
    const { repository } = await memoryRepository();
    const first = await saveDevice(repository, image);
    const same = await saveDevice(repository, image);
    assert.ok(same.bytesAdded < 2000, `${same.bytesAdded}`);
    write(image, 4 * mb + 50_000, Buffer.from('changed'));
    const changed = await saveDevice(repository, image);
    const trees = snapshotTrees(repository, await repository.loadIndex());
    const segments = async (tree: string) =>
      [...(await trees.nodes((await trees.find(tree, image))?.subtree ?? ''))].map(({ subtree }) => subtree);
    const [before, after] = [await segments(first.tree), await segments(changed.tree)];
    assert.deepEqual(
      before.map((tree, at) => tree === after[at]),
      [true, true, true, true, false, true, true],
    );
    await bringDevice(repository, image, space.path('made'));
    assert.ok(readFileSync(image).equals(readFileSync(space.path('made'))));
  });

  it('is read only where it changed when somebody knows, and read whole where the parent does not fit', async () => {
    using space = scratch();
    const image = makeImage(space);
    const { repository } = await memoryRepository();
    const latest = async () => (await repository.snapshots()).at(-1);
    await saveDevice(repository, image);
    write(image, 2 * mb - 3, Buffer.from('across'));
    write(image, sizeBytes - 1, Buffer.from('!'));
    const changed = [
      { offset: sizeBytes - 1, length: 1 },
      { offset: 2 * mb - 3, length: 6 },
    ];
    const told = await saveDevice(repository, image, { parent: await latest(), changed });
    const lastBlock = sizeBytes % blockBytes;
    assert.equal(told.bytesRead, 2 * blockBytes + lastBlock);
    assert.equal(told.bytesUnchanged, sizeBytes - told.bytesRead);
    await bringDevice(repository, image, space.path('made'));
    assert.ok(readFileSync(image).equals(readFileSync(space.path('made'))));

    truncateSync(image, sizeBytes + mb);
    const larger = await saveDevice(repository, image, { parent: await latest(), changed: [] });
    // The last segment has another length now, and there is one more.
    assert.equal(larger.bytesRead, sizeBytes + mb - 5 * mb);
    await bringDevice(repository, image, space.path('made'));
    assert.ok(readFileSync(image).equals(readFileSync(space.path('made'))));
  });

  it('of no bytes is saved and comes back', async () => {
    using space = scratch();
    writeFileSync(space.path('none'), '');
    const { repository } = await memoryRepository();
    await saveDevice(repository, space.path('none'));
    await bringDevice(repository, space.path('none'), space.path('made'));
    assert.equal(statSync(space.path('made')).size, 0);
  });

  it('that shrinks while it is read makes no restore point', async () => {
    using space = scratch();
    const image = makeImage(space);
    const { repository } = await memoryRepository();
    const onProgress = () => truncateSync(image, 3 * mb);
    await assert.rejects(saveDevice(repository, image, { onProgress }), {
      code: 'DeviceChanged',
      message: /ends at byte 3145728/,
    });
    assert.deepEqual(await repository.snapshots(), []);
  });

  it('whose backup is stopped makes no restore point, and its threads end', async () => {
    using space = scratch();
    const image = makeImage(space);
    const { repository } = await memoryRepository();
    const stop = new AbortController();
    const onProgress = () => stop.abort(new Error('stopped by its user'));
    await assert.rejects(saveDevice(repository, image, { onProgress, signal: stop.signal }), /stopped by its user/);
    assert.deepEqual(await repository.snapshots(), []);
  });

  it('that grows while it is read is saved as it began, and that is told', async () => {
    using space = scratch();
    const image = makeImage(space);
    const before = readFileSync(image);
    const { repository } = await memoryRepository();
    const onProgress = () => truncateSync(image, sizeBytes + mb);
    const { problems } = await saveDevice(repository, image, { onProgress });
    assert.deepEqual(
      problems.map(({ kind }) => kind),
      ['changed'],
    );
    assert.ok((await dumped(repository, image)).equals(before));
  });

  it('is gone on with after its backup was cut off', async () => {
    using space = scratch();
    const path = space.path('image');
    writeFileSync(path, chanceBytes(seededChance(8), 80 * mb));
    const { repository } = await memoryRepository();
    let packs = 0;
    const putPack: Repository['putPack'] = async (bytes, signal) => {
      if (++packs > 3) throw new Error('killed');
      return await repository.putPack(bytes, signal);
    };
    const options = { indexEveryMs: 0, segmentBytes: 16 * mb };
    await assert.rejects(saveDevice({ ...repository, putPack }, path, options), /killed/);
    assert.deepEqual(await repository.snapshots(), []);
    const again = await saveDevice(repository, path, options);
    assert.ok(again.bytesAdded < 50 * mb, `${again.bytesAdded}`);
    await bringDevice(repository, path, space.path('made'));
    assert.ok(readFileSync(path).equals(readFileSync(space.path('made'))));
  });

  it('that any reader restored and saved anew is still one', async () => {
    using space = scratch();
    const image = makeImage(space);
    const { repository } = await memoryRepository();
    await saveDevice(repository, image);
    await bringBack(repository, image, space.path('out'));
    await save(repository, [space.path('out')]);
    await bringDevice(repository, space.path('out'), space.path('made'));
    assert.ok(readFileSync(image).equals(readFileSync(space.path('made'))));
  });

  it('whose segments are not what its record says is refused before anything is written', async () => {
    using space = scratch();
    const image = makeImage(space);
    const { repository } = await memoryRepository();
    await saveDevice(repository, image);
    const out = space.path('out');
    await bringBack(repository, image, out);
    const record = readFileSync(`${out}/device.json`, 'utf8');
    const sizes: Readonly<Record<number, RegExp>> = {
      [2 * mb]: /has segment 00000002, which lies behind/,
      [9 * mb]: /Segment 00000006 of the device is missing/,
    };
    for (const [size, message] of Object.entries(sizes)) {
      writeFileSync(`${out}/device.json`, record.replace(String(sizeBytes), size));
      await save(repository, [out]);
      await assert.rejects(bringDevice(repository, out, space.path('made')), { code: 'RepositoryDamaged', message });
    }
    await assert.rejects(bringDevice(repository, `${out}/00000000`, space.path('made')), { code: 'NoDevice' });
    assert.equal(statSync(space.path('made'), { throwIfNoEntry: false }), undefined);
  });

  it('of which blocks are lost ends the restore, or all else is restored and they are named', async () => {
    using space = scratch();
    const image = makeImage(space);
    const { repository, store } = await memoryRepository();
    await saveDevice(repository, image);
    // Of the two packs the one with content is the larger.
    const packs = [...store.objects].filter(([name]) => name.startsWith('data/'));
    const [largest] = packs.sort(([, left], [, right]) => right.length - left.length);
    const [name, bytes] = largest ?? ['', Buffer.alloc(0)];
    store.objects.set(name, Buffer.concat([Buffer.alloc(100_000), bytes.subarray(100_000)]));
    const made = space.path('made');
    await assert.rejects(bringDevice(repository, image, made), {
      code: 'RestoreIncomplete',
      message: /damaged, within \d+ bytes from byte 0/,
    });
    const options = { problems: 'name', verify: false } as const;
    const { problemCount, problems } = await bringDevice(repository, image, made, options);
    assert.ok(problemCount > 0 && problems.every(({ kind }) => kind === 'lost'));
    assert.ok(
      readFileSync(image)
        .subarray(2 * mb)
        .equals(readFileSync(made).subarray(2 * mb)),
    );
  });

  it('is neither a directory nor a fifo', async () => {
    using space = scratch();
    const { repository } = await memoryRepository();
    await assert.rejects(saveDevice(repository, space.root), { code: 'NoDevice' });
    await assert.rejects(saveDevice(repository, space.path('absent')), { code: 'DeviceUnreadable' });
    const image = makeImage(space);
    await saveDevice(repository, image);
    await assert.rejects(bringDevice(repository, image, space.root), { code: 'TargetUnwritable' });
  });
});
