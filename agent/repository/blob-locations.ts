/**
 * Where each blob of a repository lies, in typed arrays: 32 bytes a blob and 6 to 12 to find it by, whatever the number. Looked up by 128 bits of the
 * id; a reader checks the whole id against the content anyway.
 */
import { idBytes } from './format/object-id.ts';
import type { BlobType, PackedBlob } from './format/pack.ts';

export interface BlobLocation extends PackedBlob {
  readonly pack: string;
}

export interface BlobLocations {
  readonly size: number;
  /** The pack's blobs; of a blob that is known already the first place counts. */
  add(pack: string, blobs: Iterable<PackedBlob>): void;
  /** The same of one blob, without objects. */
  addOne(pack: string, id: Uint8Array, blob: Omit<PackedBlob, 'id'>): void;
  find(id: string, type: BlobType): BlobLocation | undefined;
  packs(): readonly string[];
  /** Where the last blob of a pack ends, as far as is known; 0 for a pack that isn't. */
  endOf(pack: string): number;
}

const idWords = 4;
const words = idWords + 4;
const treeFlag = 0x80000000;
/** Places come in blocks of a mebibyte, so that nothing is moved when there are more: two arrays of all would be there at once. */
const blockBits = 15;
const blockMask = 2 ** blockBits - 1;
const firstSlots = 1024;
const noPlaces = new Uint32Array(0);

export function blobLocations(): BlobLocations {
  const blocks: Uint32Array[] = [];
  let size = 0;
  /** Open addressing: a place's number + 1, or 0. */
  let slots = new Uint32Array(firstSlots);
  const packs = packNumbers();
  /** The id that is looked for. */
  const keyBytes = Buffer.alloc(idBytes);
  const key = new Uint32Array(idWords);
  const setKey = (id: Uint8Array) => {
    for (let word = 0, at = 0; word < idWords; word++, at += 4)
      key[word] =
        ((id[at] ?? 0) | ((id[at + 1] ?? 0) << 8) | ((id[at + 2] ?? 0) << 16) | ((id[at + 3] ?? 0) << 24)) >>> 0;
  };
  const setKeyOf = (id: string) => {
    keyBytes.write(id, 'hex');
    setKey(keyBytes);
  };
  const blockOf = (place: number): Uint32Array => blocks[place >>> blockBits] ?? noPlaces;

  /** The slot of the id in `key`, or the free one where it belongs. */
  const slotOf = (type: BlobType): number => {
    const flag = type === 'tree' ? treeFlag : 0;
    for (let slot = (key[0] ?? 0) % slots.length; ; slot = (slot + 1) % slots.length) {
      const taken = slots[slot] ?? 0;
      if (taken === 0) return slot;
      const cells = blockOf(taken - 1);
      const at = ((taken - 1) & blockMask) * words;
      const isSame =
        cells[at] === key[0] && cells[at + 1] === key[1] && cells[at + 2] === key[2] && cells[at + 3] === key[3];
      if (isSame && ((cells[at + idWords] ?? 0) & treeFlag) >>> 0 === flag) return slot;
    }
  };
  const grow = () => {
    slots = new Uint32Array(slots.length * 2);
    for (let place = 0; place < size; place++) {
      let slot = (blockOf(place)[(place & blockMask) * words] ?? 0) % slots.length;
      while (slots[slot] !== 0) slot = (slot + 1) % slots.length;
      slots[slot] = place + 1;
    }
  };
  const addKey = (number: number, { type, offset, length, uncompressedLength }: Omit<PackedBlob, 'id'>) => {
    packs.reaches(number, offset + length);
    const slot = slotOf(type);
    if (slots[slot] !== 0) return;
    if ((size & blockMask) === 0) blocks.push(new Uint32Array((blockMask + 1) * words));
    const cells = blockOf(size);
    const at = (size & blockMask) * words;
    cells.set(key, at);
    cells[at + idWords] = number + (type === 'tree' ? treeFlag : 0);
    cells[at + idWords + 1] = offset;
    cells[at + idWords + 2] = length;
    // 0 means stored as it is; an empty compressed blob doesn't exist.
    cells[at + idWords + 3] = uncompressedLength ?? 0;
    slots[slot] = ++size;
    if (size > slots.length * 0.7) grow();
  };
  return {
    get size() {
      return size;
    },
    packs: packs.all,
    endOf: packs.endOf,
    add(pack, blobs) {
      const number = packs.numberOf(pack);
      for (const blob of blobs) {
        setKeyOf(blob.id);
        addKey(number, blob);
      }
    },
    addOne(pack, id, blob) {
      setKey(id);
      addKey(packs.numberOf(pack), blob);
    },
    find(id, type) {
      setKeyOf(id);
      const taken = slots[slotOf(type)] ?? 0;
      if (taken === 0) return undefined;
      const cells = blockOf(taken - 1);
      const at = ((taken - 1) & blockMask) * words + idWords;
      const pack = packs.named(((cells[at] ?? 0) & ~treeFlag) >>> 0);
      const [offset = 0, length = 0, uncompressed = 0] = [cells[at + 1], cells[at + 2], cells[at + 3]];
      return { id, type, pack, offset, length, uncompressedLength: uncompressed === 0 ? undefined : uncompressed };
    },
  };
}

function packNumbers() {
  const all: string[] = [];
  const numbers = new Map<string, number>();
  const ends: number[] = [];
  let last = { pack: '', number: -1 };
  return {
    all: () => all,
    named: (number: number): string => all[number] ?? '',
    endOf: (pack: string): number => ends[numbers.get(pack) ?? -1] ?? 0,
    reaches(number: number, end: number) {
      if (end > (ends[number] ?? 0)) ends[number] = end;
    },
    numberOf(pack: string): number {
      // Blobs of one pack come one after the other.
      if (last.pack === pack) return last.number;
      const number = numbers.get(pack) ?? all.push(pack) - 1;
      numbers.set(pack, number);
      last = { pack, number };
      return number;
    },
  };
}
