/** For tests of updates: a destination that holds a complete point. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { type CopyOptions, chanceBytes, copyVolume, type Scratch, seededChance } from './test-volumes.ts';

/** A volume with a database-like file of several segments, copied once; `update` copies it again. */
export async function copiedOnce(space: Scratch) {
  const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
  mkdirSync(`${from}/db/deep`, { recursive: true });
  mkdirSync(to);
  writeFileSync(`${from}/db/table`, chanceBytes(seededChance(7), 12 * 1024 * 1024));
  for (let at = 0; at < 300; at++) writeFileSync(`${from}/db/deep/f${at}`, `content ${at} `.repeat(at));
  const first = await copyVolume({ from, to, staging, run: 'first' });
  const expectDigest = first.destination.digest;
  const update = (destination: CopyOptions['destination'] = {}, run = 'second') =>
    copyVolume({ from, to, staging, mode: 'update', run, expectDigest, destination });
  return { from, to, staging, expectDigest, update };
}
