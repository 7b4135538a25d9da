/** Issue 5, acceptance 8: what a sync sends of a changed database is held against what a backup stores of the same change. */
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { it } from 'node:test';
import { chanceBytes, copyVolume, digestOf, scratch, seededChance } from '../../mover/testing/test-volumes.ts';
import type { MemoryStore } from '../store/memory-store.ts';
import { memoryRepository, save } from '../testing/save-and-restore.ts';

const pageBytes = 16 * 1024;
const pages = 4000;
const changedPages = pages / 100;

it('a sync sends at most 1.2 times the bytes that a backup stores for one per cent of changed pages', async () => {
  using space = scratch();
  const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
  for (const directory of [from, to]) mkdirSync(directory);
  const chance = seededChance(8);
  const fd = openSync(`${from}/base`, 'w');
  // Half of a page is padding, as a database's are.
  const writePage = (at: number) => writeSync(fd, chanceBytes(chance, pageBytes / 2), 0, pageBytes / 2, at * pageBytes);
  ftruncateSync(fd, pages * pageBytes);
  for (let at = 0; at < pages; at++) writePage(at);
  const { store, repository } = await memoryRepository();
  const first = await copyVolume({ from, to, staging, run: 'first' });
  await save(repository, [from]);
  const storedBefore = await storedBytes(store);

  for (let changed = 0; changed < changedPages; changed++) writePage(Math.floor(chance() * pages));
  closeSync(fd);
  const expectDigest = first.destination.digest;
  const { source } = await copyVolume({ from, to, staging, run: 'second', mode: 'update', expectDigest });
  await save(repository, [from]);
  const stored = (await storedBytes(store)) - storedBefore;
  assert.equal(source.digest, (await digestOf(to)).digest);
  assert.ok(source.bytesSent > (changedPages * pageBytes) / 4, `${source.bytesSent} bytes can't hold the change`);
  assert.ok(source.bytesSent <= 1.2 * stored, `sent ${source.bytesSent}, stored ${stored}`);
});

async function storedBytes(store: MemoryStore): Promise<number> {
  let bytes = 0;
  for await (const { sizeBytes } of store.list('')) bytes += sizeBytes;
  return bytes;
}
