import assert from 'node:assert/strict';
import { sep } from 'node:path';
import { describe, it } from 'node:test';
import { type ChunkSource, createChunkLoader } from './chunk-loader.ts';

const loaderOf = (chunks: Readonly<Record<string, string>>, more: Partial<ChunkSource> = {}) =>
  createChunkLoader({
    inline: {},
    cache: () => undefined,
    code: (name) => chunks[name] ?? 'throw new Error("no such chunk")',
    ...more,
  });

describe('the chunk loader', () => {
  it('runs a chunk once and gives its exports to all', () => {
    const { load } = loaderOf({
      './a.js': 'exports.count = (globalThis.chunkRuns ?? 0) + 1; globalThis.chunkRuns = exports.count;',
    });
    assert.deepEqual(load('./a.js'), { count: 1 });
    assert.equal(load('./a.js'), load('./a.js'));
  });

  it('gives built-in modules by name and other chunks by path, also in a circle', () => {
    const { load } = loaderOf({
      './a.js':
        'const b = require("./b.js"); exports.name = "a"; exports.fromB = () => b.back(); exports.sep = require("node:path").sep;',
      './b.js': 'const a = require("./a.js"); exports.back = () => a.name;',
    });
    const a = load('./a.js') as { fromB: () => string; sep: string };
    assert.equal(a.fromB(), 'a');
    assert.equal(a.sep, sep);
  });

  it('prefers what was compiled into the main script', () => {
    const { load } = loaderOf(
      { './a.js': 'exports.from = "asset"' },
      { inline: { './a.js': (exports) => Object.assign(exports as object, { from: 'main' }) } },
    );
    assert.deepEqual(load('./a.js'), { from: 'main' });
  });

  it('takes a code cache that fits and does without one that does not', () => {
    const code = { './a.js': 'exports.answer = () => 42;' };
    const first = loaderOf(code);
    first.load('./a.js');
    const cache = first.scripts.get('./a.js')?.createCachedData();
    const fitting = loaderOf(code, { cache: () => cache });
    assert.equal((fitting.load('./a.js') as { answer: () => number }).answer(), 42);
    assert.equal(fitting.scripts.get('./a.js')?.cachedDataRejected, false);
    // Another source: V8 keeps what it has just compiled and would not look at the cache.
    const broken = loaderOf({ './b.js': 'exports.answer = () => 43;' }, { cache: () => Buffer.alloc(64) });
    assert.equal((broken.load('./b.js') as { answer: () => number }).answer(), 43);
    assert.equal(broken.scripts.get('./b.js')?.cachedDataRejected, true);
  });
});
