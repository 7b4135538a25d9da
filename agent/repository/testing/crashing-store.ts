/** For tests: a store whose owner dies at its Nth change, before or after it is made; and one that takes its time by a seed. */
import type { MemoryStore } from '../store/memory-store.ts';

class Killed extends Error {}

export interface CrashPoint {
  /** Which change, from 1. */
  readonly change: number;
  readonly when: 'before' | 'after';
}

/** Once killed, every further call fails: a dead process does nothing more. */
export function crashingStore(inner: MemoryStore, point: CrashPoint): MemoryStore & { readonly isDead: () => boolean } {
  let changes = 0;
  let isDead = false;
  const alive = () => {
    if (isDead) throw new Killed();
  };
  const change = async (apply: () => Promise<void>) => {
    alive();
    changes++;
    const isHere = changes === point.change;
    if (isHere && point.when === 'before') isDead = true;
    alive();
    await apply();
    if (isHere) isDead = true;
    alive();
  };
  return {
    ...inner,
    isDead: () => isDead,
    put: (name, bytes) => change(() => inner.put(name, bytes)),
    remove: (name) => change(() => inner.remove(name)),
    async removeMany(names) {
      for (const name of names) await change(() => inner.remove(name));
    },
    async get(name, range) {
      alive();
      return await inner.get(name, range);
    },
  };
}

/** Every call takes a few turns of the event loop, chosen by `random`: other tasks come in between anywhere. */
export function slowStore(inner: MemoryStore, random: () => number): MemoryStore {
  const pause = async () => {
    for (let turns = Math.floor(random() * 4); turns > 0; turns--)
      await new Promise((resolve) => setImmediate(resolve));
  };
  const slow = async <Result>(run: () => Promise<Result>): Promise<Result> => {
    await pause();
    const result = await run();
    await pause();
    return result;
  };
  return {
    ...inner,
    put: (name, bytes) => slow(() => inner.put(name, bytes)),
    get: (name, range) => slow(() => inner.get(name, range)),
    sizeOf: (name) => slow(() => inner.sizeOf(name)),
    remove: (name) => slow(() => inner.remove(name)),
    async removeMany(names) {
      for (const name of names) await slow(() => inner.remove(name));
    },
    async *list(prefix) {
      await pause();
      for await (const object of inner.list(prefix)) {
        yield object;
        if (random() < 0.2) await pause();
      }
    },
  };
}
