import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeNodeHead, type NodeStats, treeEnd, treeStart, withContent, withSubtree } from '../format/tree.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import type { TreeText } from './backup-job.ts';
import { piecesOf } from './packed-tree.ts';
import { openTree } from './tree-builder.ts';

const stats: NodeStats = {
  ...{ type: 'file', mode: 0o644, uid: 1, gid: 2, links: 1, size: 3, device: 0n },
  ...{ mtimeNs: 1_700_000_000_123_456_789n, ctimeNs: 1_700_000_001_000_000_000n, inode: 2n ** 63n, deviceId: 5n },
};
/** With what a text must not be mistaken for: commas, brackets, quotes, and bytes that stand for gaps. */
const nameOf = (at: number) => `n${String(at).padStart(6, '0')},\0\x01"]}\xc3\xa4\xff,`;
const xattrs = [{ name: 'user.\xc3\xa4', value: Buffer.from('{"name":","}') }];
const head = (at: number, type: NodeStats['type'] = 'file') =>
  encodeNodeHead({ ...stats, name: nameOf(at), type, linkTarget: '', xattrs: at % 7 === 0 ? xattrs : [] });
const idOf = (at: number) => at.toString(16).padStart(64, '0');

const jsonOf = (tree: TreeText) => ('json' in tree ? Buffer.from(tree.json) : Buffer.concat(copies(tree)));
const copies = (tree: Extract<TreeText, { nodes: unknown }>) =>
  Array.from(piecesOf(tree), (piece) => Buffer.from(piece));

/** A directory of so many entries of every kind, some of which are left out, in whatever order things become known. */
async function build(entries: number, seed: number): Promise<{ tree: TreeText; wanted: Buffer }> {
  const random = seededRandom(seed);
  const tree = openTree();
  const wanted: string[] = [];
  const late: (() => void)[] = [];
  const known = <Value>(value: Value): Promise<Value> => {
    const { promise, resolve } = Promise.withResolvers<Value>();
    late.splice(Math.floor(random() * (late.length + 1)), 0, () => resolve(value));
    return promise;
  };
  for (let at = 0; at < entries; at++) {
    const isLeftOut = random() < 0.2;
    const kind = random();
    if (kind < 0.4) {
      const node = withContent(head(at), [idOf(at)]);
      tree.add(node);
      wanted.push(node);
    } else if (kind < 0.7) {
      const ids = random() < 0.5 ? [idOf(at)] : [idOf(at), idOf(at + 1)];
      tree.addFile(head(at), known(isLeftOut ? undefined : ids));
      if (!isLeftOut) wanted.push(withContent(head(at), ids));
    } else {
      const close = () => tree.closeDirectory(nameOf(at), known(isLeftOut ? undefined : idOf(at)));
      const isClosedBefore = random() < 0.3;
      if (isClosedBefore) close();
      tree.addDirectory(nameOf(at), head(at, 'dir'));
      if (!isClosedBefore) close();
      if (!isLeftOut) wanted.push(withSubtree(head(at, 'dir'), idOf(at)));
    }
  }
  for (const tell of late) tell();
  return { tree: await tree.finish(), wanted: Buffer.from(`${treeStart}${wanted.join()}${treeEnd}`) };
}

describe('a tree that is put together', () => {
  it('has its entries in order, whatever they lacked, without those that are left out', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { tree, wanted } = await build(seed % 12, seed);
      assert.equal(jsonOf(tree).toString(), wanted.toString(), `seed ${seed}`);
    }
  });

  it('is the same when it is of some size, and when it is packed', async () => {
    const some = await build(3_000, 1);
    assert.ok('json' in some.tree && jsonOf(some.tree).equals(some.wanted));
    const many = await build(20_000, 2);
    assert.ok('nodes' in many.tree && jsonOf(many.tree).equals(many.wanted));
    assert.equal(many.tree.length, many.wanted.length);
  });

  it('finds the subtree of each of many directories, whichever of them are none any more', async () => {
    for (const closedAhead of [0, 3, 6_000]) {
      const tree = openTree();
      const wanted: string[] = [];
      const isGone = (at: number) => at % 5 === 0;
      const close = (at: number) =>
        tree.closeDirectory(nameOf(at), Promise.resolve(at % 7 === 0 ? undefined : idOf(at)));
      // A selected name that is not there.
      tree.closeDirectory('o', Promise.resolve(undefined));
      for (let at = 0; at < closedAhead; at++) close(at);
      for (let at = 0; at < 6_000; at++) {
        if (isGone(at)) continue;
        tree.addDirectory(nameOf(at), head(at, 'dir'));
        if (at % 7 !== 0) wanted.push(withSubtree(head(at, 'dir'), idOf(at)));
      }
      for (let at = closedAhead; at < 6_000; at++) close(at);
      assert.ok(jsonOf(await tree.finish()).equals(Buffer.from(`${treeStart}${wanted.join()}${treeEnd}`)));
    }
  });

  it('takes far less memory than its text when it is large', async () => {
    const tree = openTree();
    const random = seededRandom(3);
    const id = () =>
      Array.from({ length: 8 }, () =>
        Math.floor(random() * 2 ** 32)
          .toString(16)
          .padStart(8, '0'),
      ).join('');
    for (let at = 0; at < 40_000; at++) tree.add(withContent(head(at), [id()]));
    const built = await tree.finish();
    assert.ok('nodes' in built);
    const packed = built.nodes.reduce((sum, { packed }) => sum + packed.byteLength, 0);
    assert.ok(packed < built.length / 4, `${packed} bytes of ${built.length}`);
  });

  it('fails when what an entry lacks is not to be had, or a directory was forgotten', async () => {
    const failing = openTree();
    failing.addDirectory('d', head(1, 'dir'));
    failing.closeDirectory('d', Promise.reject(new Error('the thread ended')));
    failing.closeDirectory('never added', Promise.reject(new Error('nobody needs it')));
    await assert.rejects(failing.finish(), /the thread ended/);
    const forgetful = openTree();
    forgetful.addDirectory('d', head(1, 'dir'));
    await assert.rejects(forgetful.finish(), /was not closed/);
  });
});
