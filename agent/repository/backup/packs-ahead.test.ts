import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { testKey } from '../testing/write-restore-point.ts';
import { backupThreads } from './backup-threads.ts';
import { newClaimTable } from './claims.ts';

const mebibyte = 1024 * 1024;
/** No two are alike. */
const content = (number: number) => Buffer.alloc(4 * mebibyte, number + 1);

/** @param tookMs what the clock says that storing took */
function threadsWith(storePack: () => Promise<void>, tookMs = 0) {
  let now = 0;
  const clock = { monotonicMs: () => now };
  return backupThreads({
    key: testKey,
    tables: [newClaimTable(1024)],
    level: undefined,
    trustBefore: 0n,
    chunking: [],
    limits: undefined,
    threads: 1,
    clock,
    storePack: async () => {
      await storePack();
      now += tookMs;
    },
  });
}

describe('packs that wait for a slow store', { timeout: 120_000 }, () => {
  for (const [tookMs, allowed] of [
    [1, 2],
    [1000, 3],
  ] as const)
    it(`are ${allowed} when each takes ${tookMs} ms, whatever a thread still has to do, and all come to be stored`, async () => {
      let [waiting, most, stored] = [0, 0, 0];
      const threads = threadsWith(async () => {
        most = Math.max(most, ++waiting);
        await new Promise((resolve) => setTimeout(resolve, 20));
        waiting--;
        stored++;
      }, tookMs);
      try {
        const jobs = Array.from({ length: 32 }, (_, at) => threads.run({ do: 'data', bytes: content(at) }));
        await Promise.all(jobs);
        await threads.flush();
        assert.ok(most <= allowed, `${most}`);
        assert.ok(stored >= 8, `${stored}`);
        assert.ok(threads.counts.bytesAdded >= 128 * mebibyte);
      } finally {
        await threads.close();
      }
    });

  it('do not keep a thread from being ended', async () => {
    const free = Promise.withResolvers<void>();
    const both = Promise.withResolvers<void>();
    let waiting = 0;
    const threads = threadsWith(() => {
      if (++waiting === 2) both.resolve();
      return free.promise;
    });
    for (let at = 0; at < 16; at++) threads.run({ do: 'data', bytes: content(at) }).catch(() => undefined);
    await both.promise;
    const closed = threads.close();
    free.resolve();
    await closed;
    assert.equal(waiting, 2);
  });
});
