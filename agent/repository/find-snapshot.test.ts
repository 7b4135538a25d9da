import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideParent, findSnapshot, splitSnapshotPath } from './find-snapshot.ts';
import type { StoredSnapshot } from './repository.ts';

const aSnapshot = (fields: Partial<StoredSnapshot>): StoredSnapshot => ({
  id: 'a'.repeat(64),
  time: new Date(0),
  tree: 'f'.repeat(64),
  paths: ['/data'],
  hostname: 'one',
  username: 'root',
  tags: [],
  excludes: [],
  ...fields,
});
const [older, newer, other] = [
  aSnapshot({ id: 'abcd1'.padEnd(64, '0') }),
  aSnapshot({ id: 'abcd2'.padEnd(64, '0'), paths: ['/etc', '/data'], tags: ['kept'] }),
  aSnapshot({ id: 'eeee'.padEnd(64, '0'), hostname: 'two' }),
];
const all = [older, newer, other];

describe('a restore point', () => {
  it('is found by latest, by host, path and tag', () => {
    assert.equal(findSnapshot(all, 'latest'), other);
    assert.equal(findSnapshot(all, 'latest', { hosts: ['one'], paths: [], tags: [] }), newer);
    assert.equal(findSnapshot(all, 'latest', { hosts: [], paths: ['/etc'], tags: ['kept'] }), newer);
  });

  it('is found by the beginning of its id, when only one begins so', () => {
    assert.equal(findSnapshot(all, 'abcd1'), older);
    assert.throws(() => findSnapshot(all, 'abcd'), { code: 'SnapshotAmbiguous' });
    for (const word of ['ab', 'ffff', 'ABCD1', '', '../x'])
      assert.throws(() => findSnapshot(all, word), { code: 'SnapshotMissing' });
    assert.throws(() => findSnapshot([], 'latest'), { code: 'SnapshotMissing' });
  });

  it('may come with a path', () => {
    assert.deepEqual(splitSnapshotPath('latest:/a:b'), { snapshot: 'latest', path: '/a:b' });
    assert.deepEqual(splitSnapshotPath('abcd'), { snapshot: 'abcd', path: '' });
  });

  it('is compared with when host and paths are the same, in any order', () => {
    assert.equal(decideParent(all, { hostname: 'one', paths: ['/data', '/etc'] }), newer);
    assert.equal(decideParent(all, { hostname: 'one', paths: ['/data'] }), older);
    assert.equal(decideParent(all, { hostname: 'three', paths: ['/data'] }), undefined);
  });
});
