import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pathFilter } from '../select-paths.ts';
import { partsOf } from './restore-content.ts';
import { savedPlaces } from './saved-places.ts';

describe('paths that are meant', () => {
  const cases: readonly (readonly [string, readonly string[], readonly string[], string, boolean, string])[] = [
    ['everything', [], [], '/a/b', true, 'whole'],
    ['the way to a path', ['/a/b/c'], [], '/a', false, 'inside'],
    ['a path', ['/a/b/c'], [], '/a/b/c', true, 'whole'],
    ['below a path', ['/a/b/c'], [], '/a/b/c/d/e', true, 'whole'],
    ['beside a path', ['/a/b/c'], [], '/a/x', false, 'not'],
    ['a name that only begins so', ['/a/b'], [], '/a/bc', false, 'not'],
    ['a name anywhere', ['*.txt'], [], '/a/b.txt', true, 'whole'],
    ['any directory on the way to a name', ['*.txt'], [], '/a', false, 'inside'],
    ['below a directory of that name', ['lib'], [], '/a/lib/x', true, 'whole'],
    ['two names in order', ['lib/x'], [], '/a/lib/x', true, 'whole'],
    ['two names that are apart', ['lib/x'], [], '/lib/a/x', false, 'inside'],
    ['without what is excluded', [], ['/a/b'], '/a', true, 'part'],
    ['what is excluded', [], ['/a/b'], '/a/b/c', false, 'not'],
    ['excluded within included', ['/a'], ['*.tmp'], '/a/x.tmp', false, 'not'],
    ['a dot that is no pattern', ['a.b'], [], '/axb', false, 'inside'],
    ['a star within one name only', ['/a/*/c'], [], '/a/b/x/c', false, 'not'],
  ];
  for (const [what, include, exclude, path, isMeant, directory] of cases) {
    it(what, () => {
      const filter = pathFilter(include, exclude);
      assert.equal(filter.isMeant(path), isMeant);
      assert.equal(filter.directory(path), directory);
    });
  }
});

describe('what was saved', () => {
  it('is the paths and what is below, not what is on the way', () => {
    const isSaved = savedPlaces(['/home/x', '/etc'], new Set(['home', 'etc']));
    for (const path of ['/home/x', '/home/x/y', '/etc', '/etc/a']) assert.ok(isSaved(path), path);
    for (const path of ['', '/home', '/home/xy', '/var']) assert.ok(!isSaved(path), path);
  });

  it('of the root is everything', () => {
    assert.ok(savedPlaces(['/'], new Set(['a']))(''));
    assert.ok(savedPlaces(['/'], new Set(['a']))('/a/b'));
  });

  it('by relative paths, as restic does, is their ends', () => {
    const isSaved = savedPlaces(['/home/x/a/b', '/home/x/c'], new Set(['a', 'c']));
    for (const path of ['/a/b', '/a/b/d', '/c', '/c/d']) assert.ok(isSaved(path), path);
    for (const path of ['', '/a', '/d', '/home']) assert.ok(!isSaved(path), path);
    assert.ok(!savedPlaces(['/x/a/a'], new Set(['a']))('/a'));
  });
});

describe('parts of a large file', () => {
  it('are in order and cover it', () => {
    const pieces = Array.from({ length: 40 }, (_, at) => ({ id: String(at), length: 1_000_000 }));
    const parts = [...partsOf(pieces)];
    assert.deepEqual(
      parts.flatMap((part) => part.pieces),
      pieces,
    );
    let end = 0;
    for (const part of parts) {
      assert.equal(part.offset, end);
      end += part.pieces.reduce((sum, { length }) => sum + length, 0);
    }
    assert.equal(end, 40_000_000);
    assert.deepEqual([...partsOf([])], []);
  });
});
