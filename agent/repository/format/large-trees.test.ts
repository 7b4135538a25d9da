import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { WrittenPack } from '../backup/backup-job.ts';
import { blobWriter } from '../backup/blob-writer.ts';
import { claims, newClaimTable } from '../backup/claims.ts';
import { largeParentTree } from '../backup/parent-trees.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { compress, decompress } from './compress.ts';
import { newMasterKey } from './key-file.ts';
import { unsealBlob } from './pack.ts';
import { blobsOfEntries } from './pack-entries.ts';
import { nodeTexts, splitNodes } from './split-nodes.ts';
import { encodeNodeHead, readNodes, readTree, type TreeNode, treeEnd, treeStart, withContent } from './tree.ts';
import { compressPieces, zstdPieces } from './zstd-pieces.ts';

const stats: Omit<TreeNode, 'name' | 'content' | 'subtree'> = {
  ...{ type: 'file', mode: 0o644, mtimeNs: 1n, ctimeNs: 1n, uid: 0, gid: 0, inode: 2n ** 63n, deviceId: 1n, links: 1 },
  ...{ device: 0n, size: 3, linkTarget: '', xattrs: [] },
};
const names = Array.from({ length: 3000 }, (_, at) => `n${String(at).padStart(6, '0')}{"\\[\xff`);
/** One of them has as many blobs as a file of some terabytes. */
const nodes = names.map((name, at) =>
  withContent(
    encodeNodeHead({ ...stats, name }),
    Array.from({ length: at === 1234 ? 9000 : 1 }, () => 'ab'.repeat(32)),
  ),
);
const tree = Buffer.from(`${treeStart}${nodes.join()}${treeEnd}`);
const pieces = zstdPieces() ?? assert.fail('this Node has no node:ffi');

/** Cut wherever the seed says. */
function* cut(bytes: Buffer, random: () => number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + Math.floor(random() ** 4 * 200_000);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

describe('a large tree', () => {
  it('gives the same nodes in pieces as in one, wherever it is cut', () => {
    const whole = [...readTree(tree, 'tree')];
    for (let seed = 1; seed <= 5; seed++)
      assert.deepEqual([...readNodes(nodeTexts(cut(tree, seededRandom(seed)), 'tree'), 'tree')], whole);
    assert.equal([...splitNodes(tree, 'tree')].length, names.length);
  });

  it('is decompressed piece by piece to the same bytes', () => {
    const large = Buffer.concat([tree, tree, tree, tree]);
    const read = Array.from(pieces(compress(large, 1), 'frame'), (piece) => Buffer.from(piece));
    assert.ok(read.length > 1);
    assert.ok(Buffer.concat(read).equals(large));
  });

  it('is compressed piece by piece to one frame, of which no piece may be missing', () => {
    for (const bytes of [Buffer.alloc(0), tree, Buffer.concat([tree, tree, tree, tree])]) {
      const frame = compressPieces(cut(bytes, seededRandom(4)), bytes.length, 3);
      assert.ok(decompress(frame, bytes.length, 'frame', 'Exactly').equals(bytes));
    }
    assert.throws(() => compressPieces(cut(tree, seededRandom(4)), tree.length + 1, 3), /zstd/);
    assert.throws(() => compressPieces(cut(tree, seededRandom(4)), tree.length - 1, 3), /zstd/);
  });

  it('is stored as the same blob in pieces as in one', () => {
    const key = newMasterKey(randomBytes);
    const packs: WrittenPack[] = [];
    const handOver = (pack: WrittenPack) => void packs.push(pack);
    const writer = () => blobWriter({ key, claims: claims([newClaimTable(8)]), level: 3, handOver });
    const [inPieces, inOne] = [writer(), writer()];
    const save = () => inPieces.saveTree(() => cut(tree, seededRandom(5)), tree.length);
    const id = save();
    assert.equal(inOne.save(tree, 'tree'), id);
    assert.equal(save(), id, 'it is known by now');
    assert.equal(inPieces.counts.newBlobs, 1);
    inPieces.handOverRest();
    const [pack] = packs;
    const [blob] = pack === undefined ? [] : blobsOfEntries(pack.entries, pack.blobs);
    assert.ok(pack !== undefined && blob !== undefined);
    assert.equal(blob.uncompressedLength, tree.length);
    const sealed = new Uint8Array(pack.buffer, blob.offset, blob.length);
    assert.ok(unsealBlob(key, sealed, blob, 'pack').equals(tree));
  });

  it('that is cut short or damaged is refused, in its bytes and in its text', () => {
    const frame = compress(tree, 3);
    const flipped = Buffer.from(frame);
    flipped[9] = (flipped[9] ?? 0) ^ 0x40;
    for (const bytes of [frame.subarray(0, frame.length - 5), flipped, Buffer.alloc(20), Buffer.alloc(0)])
      assert.throws(() => [...pieces(bytes, 'frame')], { code: 'RepositoryDamaged' });
    for (const text of [tree.subarray(0, tree.length - 5), Buffer.from('{"other":[]}'), Buffer.alloc(0)])
      assert.throws(() => [...nodeTexts([text], 'tree')], { code: 'RepositoryDamaged' });
  });

  it('hands a backup only the nodes that it asks for', () => {
    const parent = () => largeParentTree('tree', nodeTexts(cut(tree, seededRandom(1)), 'tree'));
    const namesIn = (json: Uint8Array | undefined) =>
      [...readTree(Buffer.from(json ?? []), 'part')].map(({ name }) => name);
    const asked = parent();
    assert.deepEqual(namesIn(asked.upTo(names[9] ?? '')?.json), names.slice(0, 10));
    assert.deepEqual(namesIn(asked.upTo(names[19] ?? '')?.json), names.slice(10, 20));
    const wanted = [names[5] ?? '', 'not there', names[2999] ?? ''];
    const some = parent().all(wanted, false);
    assert.deepEqual(namesIn(some?.json), [names[5], names[2999]]);
    assert.equal(some?.tree, undefined, 'it is not that tree again');
  });
});
