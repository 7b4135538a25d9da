import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { manualClock } from '../../kube/clock.ts';
import { scratch } from './testing/test-volumes.ts';
import { createTreeStore, type TreeStore } from './tree-store.ts';

const bytes = (size: number, fill = 'x') => Readable.from([Buffer.alloc(size, fill)]);

async function kept(store: TreeStore, key: string): Promise<number | undefined> {
  const found = await store.read(key);
  return found === undefined ? undefined : (await buffer(found.stream)).length;
}

describe('what an agent keeps for movers', () => {
  it('is read as it was written last, by its own key only', async () => {
    using space = scratch();
    const store = createTreeStore({ directory: space.path('trees'), limitBytes: 10_000, clock: manualClock() });
    assert.equal(await kept(store, 'a'), undefined);
    await store.write('a', bytes(10));
    await store.write('a', bytes(20));
    assert.deepEqual([await kept(store, 'a'), await kept(store, 'b')], [20, undefined]);
    assert.equal(readdirSync(space.path('trees')).length, 1);
  });

  it('loses what was used longest ago when there is no room for more', async () => {
    using space = scratch();
    const clock = manualClock();
    const limits = { limitBytes: 300, fileLimitBytes: 100 };
    const store = createTreeStore({ directory: space.path('trees'), clock, ...limits });
    for (const key of ['a', 'b']) {
      await store.write(key, bytes(100));
      await clock.advance(1000);
    }
    await store.read('a');
    await clock.advance(1000);
    await store.write('c', bytes(100));
    await store.write('d', bytes(100));
    assert.deepEqual(
      [await kept(store, 'a'), await kept(store, 'b'), await kept(store, 'c'), await kept(store, 'd')],
      [100, undefined, 100, 100],
    );
  });

  it('refuses one that is too large, keeps the old one, and leaves nothing of it', async () => {
    using space = scratch();
    const directory = space.path('trees');
    const store = createTreeStore({ directory, limitBytes: 1000, fileLimitBytes: 50, clock: manualClock() });
    await store.write('a', bytes(50));
    await assert.rejects(store.write('a', bytes(51)), { code: 'TreeNotKept' });
    assert.equal(await kept(store, 'a'), 50);
    assert.equal(readdirSync(directory).length, 1);
  });

  it('keeps the old one when a new one breaks off', async () => {
    using space = scratch();
    const store = createTreeStore({
      directory: space.path('trees'),
      limitBytes: 1000,
      fileLimitBytes: 100,
      clock: manualClock(),
    });
    await store.write('a', bytes(10));
    const broken = Readable.from(
      (async function* () {
        yield Buffer.alloc(5);
        throw new Error('the mover went away');
      })(),
    );
    await assert.rejects(store.write('a', broken));
    assert.equal(await kept(store, 'a'), 10);
  });

  it('removes what a killed agent left unfinished when room is needed', async () => {
    using space = scratch();
    const limits = { limitBytes: 200, fileLimitBytes: 100 };
    const store = createTreeStore({ directory: space.path('trees'), clock: manualClock(), ...limits });
    await store.write('a', bytes(10));
    writeFileSync(`${space.path('trees')}/left.new`, Buffer.alloc(180));
    await store.write('b', bytes(10));
    assert.ok(!readdirSync(space.path('trees')).includes('left.new'));
  });
});
