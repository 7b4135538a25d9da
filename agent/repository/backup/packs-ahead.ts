/**
 * Bounds the memory of a backup's packs: all threads together make at most so many before the store has taken those that were full. A
 * thread that hands one over begins no other while the store is behind; the main thread, which stores them, never waits.
 */

/**
 * What is stored beside the packs that threads fill. Two that share a link end together, and it has nothing to carry until the next is
 * full: with a third it is never without.
 */
const storedBeside = 3;

export interface PacksAhead {
  /** A pack is full. */
  begin(): void;
  /** A pack is stored, or never will be. */
  end(): void;
  /** Blocks a thread until fewer than three packs wait. It can be ended meanwhile. */
  waitForRoom(): void;
}

export const newPacksAhead = (): SharedArrayBuffer => new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);

/** @param shared of `newPacksAhead`, the same for all threads of a backup */
export function packsAhead(shared: SharedArrayBuffer): PacksAhead {
  const waiting = new Int32Array(shared);
  return {
    begin: () => void Atomics.add(waiting, 0, 1),
    end() {
      Atomics.sub(waiting, 0, 1);
      Atomics.notify(waiting, 0);
    },
    waitForRoom() {
      for (let count = Atomics.load(waiting, 0); count >= storedBeside; count = Atomics.load(waiting, 0))
        Atomics.wait(waiting, 0, count);
    },
  };
}
