/** Chance from a seed: the same seed gives the same run. */
import { createHash } from 'node:crypto';
import { seededChance } from '../../agent/mover/testing/test-volumes.ts';

export interface Chance {
  /** In [0, 1). */
  next(): number;
  /** A whole number, both ends included. */
  between(low: number, high: number): number;
  oneOf<T>(items: readonly T[]): T;
  happens(probability: number): boolean;
  /** Chance of its own, so that one part of a run drawing more often does not change what another part draws. */
  fork(name: string): Chance;
}

export function chanceOf(seed: number | string): Chance {
  const next = seededChance(createHash('sha256').update(String(seed)).digest().readUInt32LE() + 1);
  const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    between,
    oneOf(items) {
      const item = items[between(0, items.length - 1)];
      if (item === undefined) throw new RangeError('nothing to choose from');
      return item;
    },
    happens: (probability) => next() < probability,
    fork: (name) => chanceOf(`${seed}/${name}`),
  };
}
