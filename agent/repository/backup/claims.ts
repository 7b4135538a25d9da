/**
 * Which blobs a repository holds already, shared by all threads: an open-addressing table of 128 bits of each id in shared memory.
 * Who claims an id first stores the blob. A table that is three quarters full is followed by a larger one; older ones stay.
 * Two threads that meet in the same slot at the same instant may both store a blob: that costs its bytes and harms nothing.
 */
import type { BlobType } from '../format/pack.ts';

const words = 4;
/** A tree and a file may have the same bytes but are different blobs. */
const typeMask = { data: 0, tree: 0x5a5a5a5a } as const;

export interface Claims {
  /** True when the blob is new: the caller must store it. */
  claim(id: Uint8Array, type: BlobType): boolean;
  has(id: Uint8Array, type: BlobType): boolean;
}

/** What threads are given: tables and how many of each table's slots are taken (last word). */
export type ClaimTables = SharedArrayBuffer[];

export function newClaimTable(slots: number): SharedArrayBuffer {
  const size = 2 ** Math.ceil(Math.log2(Math.max(1024, slots)));
  return new SharedArrayBuffer((size * words + 1) * 4);
}

const slotsOf = (table: SharedArrayBuffer): number => (table.byteLength / 4 - 1) / words;

/** The same claims in twice the slots; for who fills a table before anybody else sees it. */
export function largerTable(table: SharedArrayBuffer): SharedArrayBuffer {
  const larger = newClaimTable(slotsOf(table) * 2);
  const [from, to] = [new Int32Array(table), new Int32Array(larger)];
  const slots = slotsOf(larger);
  for (let at = 0; at < from.length - 1; at += words) {
    if (from[at] === 0) continue;
    // As in `search`.
    let slot = ((from[at + 2] ?? 0) >>> 0) % slots;
    while (to[slot * words] !== 0) slot = (slot + 1) % slots;
    to.set(from.subarray(at, at + words), slot * words);
  }
  to[to.length - 1] = from[from.length - 1] ?? 0;
  return larger;
}

/** Whether a larger table should follow the last one. */
export function isCrowded(tables: ClaimTables): boolean {
  const last = tables.at(-1);
  if (last === undefined) return true;
  const cells = new Int32Array(last);
  return (cells[cells.length - 1] ?? 0) > slotsOf(last) * 0.7;
}

/** @param tables shared; tables that are pushed later are seen */
export function claims(tables: ClaimTables): Claims {
  const views: { readonly cells: Int32Array; readonly slots: number }[] = [];
  const view = () => {
    for (let at = views.length; at < tables.length; at++) {
      const table = tables[at];
      if (table !== undefined) views.push({ cells: new Int32Array(table), slots: slotsOf(table) });
    }
    return views;
  };
  const search = (id: ArrayLike<number>, type: BlobType, insert: boolean): boolean => {
    // 0 marks a free slot.
    const first = wordOf(id, 0) | 1;
    const second = wordOf(id, 4) ^ typeMask[type];
    const [third, fourth] = [wordOf(id, 8), wordOf(id, 12)];
    const all = view();
    for (let number = 0; number < all.length; number++) {
      const { cells, slots } = all[number] ?? none;
      const mayInsert = insert && number === all.length - 1;
      const start = (third >>> 0) % slots;
      for (let tried = 0; tried < slots; ) {
        const slot = ((start + tried) % slots) * words;
        const found = Atomics.load(cells, slot);
        if (found === 0) {
          if (!mayInsert) break;
          // Another thread was faster: look at the same slot again.
          if (Atomics.compareExchange(cells, slot, 0, first) !== 0) continue;
          cells[slot + 1] = second;
          cells[slot + 2] = third;
          cells[slot + 3] = fourth;
          Atomics.add(cells, cells.length - 1, 1);
          return false;
        }
        if (found === first && cells[slot + 1] === second && cells[slot + 2] === third && cells[slot + 3] === fourth)
          return true;
        tried++;
      }
    }
    return false;
  };
  return { claim: (id, type) => !search(id, type, true), has: (id, type) => search(id, type, false) };
}

const none = { cells: new Int32Array(1), slots: 0 };

/** Little-endian. */
const wordOf = (bytes: ArrayLike<number>, at: number): number =>
  (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
