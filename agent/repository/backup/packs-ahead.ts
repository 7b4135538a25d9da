/**
 * Bounds the memory of a backup's packs: all threads together make at most so many before the store has taken those that were full. A
 * thread that hands one over begins no other while the store is behind; the main thread, which stores them, never waits.
 */

/** What is stored beside the packs that threads fill: with one, a thread still works while another's pack is on its way. */
const storedBeside = 2;
/** Two that share a link end together, and it has nothing to carry until the next is full: with a third it is never without. */
const besideSlowStore = 3;
/** A store that takes so long for one of several packs is one at the end of a link: disks take less. */
export const slowStoreMs = 200;

export interface PacksAhead {
  /** A pack is full. */
  begin(): void;
  /** A pack is stored, or never will be. */
  end(): void;
  /** The store is slow: from now on one more may wait. */
  allowMore(): void;
  /** Blocks a thread until few enough packs wait. It can be ended meanwhile. */
  waitForRoom(): void;
}

export const newPacksAhead = (): SharedArrayBuffer => new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);

/** @param shared of `newPacksAhead`, the same for all threads of a backup */
export function packsAhead(shared: SharedArrayBuffer): PacksAhead {
  const cells = new Int32Array(shared);
  const [waiting, isSlow] = [0, 1];
  const most = () => (Atomics.load(cells, isSlow) === 1 ? besideSlowStore : storedBeside);
  return {
    begin: () => void Atomics.add(cells, waiting, 1),
    end() {
      Atomics.sub(cells, waiting, 1);
      Atomics.notify(cells, waiting);
    },
    allowMore: () => void Atomics.store(cells, isSlow, 1),
    waitForRoom() {
      for (let count = Atomics.load(cells, waiting); count >= most(); count = Atomics.load(cells, waiting))
        Atomics.wait(cells, waiting, count);
    },
  };
}
