import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeNodeHead, type NodeStats, treeEnd, treeStart, withContent, withSubtree } from '../format/tree.ts';
import type { ParentNodes } from './backup-job.ts';
import { parentCursor } from './parent-nodes.ts';
import { parentTree } from './parent-trees.ts';

const stats: NodeStats = {
  ...{ type: 'file', mode: 0o644, uid: 1, gid: 2, links: 1, size: 3, device: 0n },
  ...{ mtimeNs: 1_700_000_000_123_456_789n, ctimeNs: 1_700_000_001_000_000_000n },
  ...{ inode: 12_345_678_901_234_567_890n, deviceId: 5n },
};
const blob = 'ab'.repeat(32);
const head = (name: string, type: NodeStats['type'] = 'file') =>
  encodeNodeHead({ ...stats, name, type, linkTarget: '', xattrs: [] });
const nodeText = (name: string) =>
  name.startsWith('d') ? withSubtree(head(name, 'dir'), 'cd'.repeat(32)) : withContent(head(name), [blob]);
const treeJson = (...names: readonly string[]) => Buffer.from(`${treeStart}${names.map(nodeText).join()}${treeEnd}`);
const known = { has: () => true };
const later = 1_800_000_000_000_000_000n;

const namesOf = (nodes: ParentNodes | undefined, asked: readonly string[]): readonly string[] => {
  const cursor = parentCursor(nodes, known, later);
  return asked.filter((name) => cursor.find(name) !== undefined);
};

describe('what the parent snapshot has of a directory', () => {
  const names = ['a', 'b"\\', 'd1', 'd2', 'e\xff', 'f'];

  it('is handed on for each step up to its last name', () => {
    const tree = parentTree('x', treeJson(...names));
    assert.deepEqual(namesOf(tree.upTo('c'), names), ['a', 'b"\\']);
    assert.equal(tree.upTo('cc'), undefined);
    assert.deepEqual(namesOf(tree.upTo('d2'), names), ['d1', 'd2']);
    assert.deepEqual(namesOf(tree.upTo('z'), names), ['e\xff', 'f']);
    assert.equal(tree.upTo('zz'), undefined);
    assert.equal(tree.subtreeOf('d0'), undefined);
    assert.equal(tree.subtreeOf('d2'), 'cd'.repeat(32));
    assert.equal(tree.subtreeOf('f'), undefined);
  });

  it('is handed on whole for a single step', () => {
    const tree = parentTree('x', treeJson(...names));
    const all = tree.all(names, true);
    assert.equal(all?.tree, 'x');
    assert.deepEqual(namesOf(all, names), names);
    assert.equal(tree.subtreeOf('d1'), 'cd'.repeat(32));
  });

  it('may be nothing', () => {
    for (const json of ['{"nodes":[]}\n', '{"nodes":null}'])
      assert.equal(parentTree('x', Buffer.from(json)).upTo('z'), undefined);
  });

  it('counts as damaged when it is no JSON', () => {
    const tree = parentTree('x', Buffer.from(`${treeStart}{"name":"a","type":}, {"name":"b"}${treeEnd}`));
    assert.throws(() => tree.upTo('z'), { code: 'RepositoryDamaged' });
  });
});

describe('a node of the parent snapshot', () => {
  const find = (json: Buffer, has = true, trustBefore = later) =>
    parentCursor({ json: new Uint8Array(json), tree: 'x' }, { has: () => has }, trustBefore).find('f');

  it('is unchanged when size, times and inode are the same', () => {
    const node = find(treeJson('a', 'f', 'g'));
    assert.ok(node);
    assert.equal(node.isUnchanged(stats), true);
    assert.equal(node.text(), nodeText('f'));
    // A clone of a volume is another device.
    assert.equal(node.isUnchanged({ ...stats, deviceId: 6n }), true);
    for (const other of [
      { size: 4 },
      { mtimeNs: stats.mtimeNs + 1n },
      { ctimeNs: stats.ctimeNs - 1n },
      { inode: stats.inode + 1n },
      { type: 'symlink' as const },
    ])
      assert.equal(node.isUnchanged({ ...stats, ...other }), false, Object.keys(other).join());
  });

  it('is not when its content is gone, or it changed while the parent was made', () => {
    assert.equal(find(treeJson('f'), false)?.isUnchanged(stats), false);
    assert.equal(find(treeJson('f'), true, stats.ctimeNs)?.isUnchanged(stats), false);
  });

  it('is unchanged when another writer wrote the same time otherwise', () => {
    const json = treeJson('f')
      .toString()
      .replaceAll('2023-11-14T22:13:20.123456789Z', '2023-11-14T23:13:20.123456789+01:00');
    assert.match(json, /\+01:00/);
    assert.equal(find(Buffer.from(json))?.isUnchanged(stats), true);
  });
});
