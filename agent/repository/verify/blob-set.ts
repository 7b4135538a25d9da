/**
 * A set of blobs in 20 bytes each: 128 bits of the id and the type, open addressing. Two blobs that agree in 128 bits of SHA-256 don't
 * happen by chance, and nobody can make them.
 */
import type { BlobType } from '../format/pack.ts';

export interface BlobSet {
  readonly size: number;
  /** True when it was not in the set. */
  add(id: string, type: BlobType): boolean;
  has(id: string, type: BlobType): boolean;
}

const idWords = 4;
const words = idWords + 1;
const typeNumber = { data: 1, tree: 2 } as const;

export function blobSet(expected = 1024): BlobSet {
  let slots = 2 ** Math.ceil(Math.log2(Math.max(1024, expected * 1.5)));
  let cells = new Uint32Array(slots * words);
  let size = 0;
  const key = new Uint32Array(words);
  const setKey = (id: string, type: BlobType) => {
    for (let word = 0; word < idWords; word++) key[word] = Number.parseInt(id.slice(word * 8, word * 8 + 8), 16);
    key[idWords] = typeNumber[type];
  };
  /** Where the key is, or the free slot where it belongs. */
  const find = (wanted: Uint32Array): number => {
    for (let slot = (wanted[0] ?? 0) & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
      const at = slot * words;
      if (cells[at + idWords] === 0) return at;
      let word = 0;
      while (word < words && cells[at + word] === wanted[word]) word++;
      if (word === words) return at;
    }
  };
  const grow = () => {
    const old = cells;
    slots *= 2;
    cells = new Uint32Array(slots * words);
    for (let at = 0; at < old.length; at += words)
      if (old[at + idWords] !== 0) {
        const one = old.subarray(at, at + words);
        cells.set(one, find(one));
      }
  };
  return {
    get size() {
      return size;
    },
    add(id, type) {
      if (size > slots * 0.7) grow();
      setKey(id, type);
      const at = find(key);
      if (cells[at + idWords] !== 0) return false;
      cells.set(key, at);
      size++;
      return true;
    },
    has(id, type) {
      setKey(id, type);
      return cells[find(key) + idWords] !== 0;
    },
  };
}
