/**
 * Which blobs a repository holds already, shared by all threads: an open-addressing table of 128 bits of each id in shared memory.
 * Who claims an id first stores the blob. A table that is three quarters full is followed by another one; older ones stay.
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

const leastSlots = 64 * 1024;

export const newClaimTable = (slots: number): SharedArrayBuffer =>
  new SharedArrayBuffer((Math.max(1024, slots) * words + 1) * 4);

const slotsOf = (table: SharedArrayBuffer): number => (table.byteLength / 4 - 1) / words;

/** Whether another table should follow the last one. */
export function isCrowded(tables: ClaimTables): boolean {
  const last = tables.at(-1);
  if (last === undefined) return true;
  const cells = new Int32Array(last);
  return (cells[cells.length - 1] ?? 0) > slotsOf(last) * 0.75;
}

/** Adds one with a quarter of all slots there are: what lies empty in the end is little, and there are few to look into. */
export function addClaimTable(tables: ClaimTables): void {
  const slots = tables.reduce((sum, table) => sum + slotsOf(table), 0);
  tables.push(newClaimTable(Math.max(leastSlots, Math.ceil(slots / 4))));
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
