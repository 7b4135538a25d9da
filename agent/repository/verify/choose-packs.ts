/** Which packs a sampled verify reads: the same ones for the same seed, spread evenly. Pure. */
import { createHash } from 'node:crypto';

/** @param percent of 0 to 100 */
export function choosePacks(packs: readonly string[], percent: number, seed: string): readonly string[] {
  return packs.filter((pack) => {
    const number = createHash('sha256').update(`${seed} ${pack}`).digest().readUInt32BE(0);
    return (number / 2 ** 32) * 100 < percent;
  });
}
