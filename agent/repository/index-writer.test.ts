import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { indexWriter, unnamedBytes } from './index-writer.ts';

const mebibyte = 1024 * 1024;
const pack = (at: number) => ({ id: `${at}`, blobs: [] });

/** After which of so many packs of 16 MiB an index was written. */
async function indexedAfter(packs: number, pace?: { readonly everyMs: number; readonly packMs: number }) {
  const written: number[] = [];
  let now = 0;
  const clock = { monotonicMs: () => now };
  const put = async (some: readonly { readonly id: string }[]) => written.push(Number(some.at(-1)?.id));
  const writer = indexWriter(put, pace && { clock, everyMs: pace.everyMs });
  for (let at = 1; at <= packs; at++) {
    now += pace?.packMs ?? 0;
    await writer.add(pack(at), 16 * mebibyte);
  }
  return written;
}

describe('the indexes of a backup', () => {
  it('come once a minute, and sooner when much was stored since', async () => {
    assert.deepEqual(await indexedAfter(13, { everyMs: 60_000, packMs: 10_000 }), [6, 12]);
    assert.deepEqual(await indexedAfter(40, { everyMs: 60_000, packMs: 1 }), [16, 32]);
  });

  it('are few however much is stored', async () => {
    const written = await indexedAfter(64 * 1024, { everyMs: 3_600_000, packMs: 1 });
    assert.ok(written.length < 64, `${written.length} for a tebibyte`);
    assert.equal(unnamedBytes(1024 * 1024 * mebibyte), 128 * 1024 * mebibyte);
  });

  it('are only those that are full when nobody waits for them', async () => {
    assert.deepEqual(await indexedAfter(100), []);
  });
});
