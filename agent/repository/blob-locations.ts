/**
 * Where each blob of a repository lies, in typed arrays: 36 bytes a blob at most, whatever the number. Looked up by 128 bits of the
 * id; a reader checks the whole id against the content anyway.
 */
import type { BlobType, PackedBlob } from './format/pack.ts';

export interface BlobLocation extends PackedBlob {
  readonly pack: string;
}

export interface BlobLocations {
  readonly size: number;
  /** The pack's blobs; of a blob that is known already the first place counts. */
  add(pack: string, blobs: readonly PackedBlob[]): void;
  find(id: string, type: BlobType): BlobLocation | undefined;
  packs(): readonly string[];
  /** Where the last blob of a pack ends, as far as is known; 0 for a pack that isn't. */
  endOf(pack: string): number;
}

const idWords = 4;
const words = idWords + 4;
const treeFlag = 0x80000000;
const noPack = 0;

export function blobLocations(): BlobLocations {
  let slots = 1024;
  let cells = new Uint32Array(slots * words);
  let size = 0;
  const packs: string[] = [];
  const numbers = new Map<string, number>();
  const ends: number[] = [];
  /** The first words of the id that is looked for. */
  const key = new Uint32Array(idWords);
  const keyBytes = Buffer.alloc(idWords * 4);
  const setKey = (id: string) => {
    keyBytes.write(id.slice(0, idWords * 8), 'hex');
    for (let word = 0; word < idWords; word++) key[word] = keyBytes.readUInt32BE(word * 4);
  };

  /** Where the id in `key` is; -1 - the free place where it belongs when it isn't. */
  const slotOf = (type: BlobType): number => {
    const flag = type === 'tree' ? treeFlag : 0;
    for (let slot = (key[0] ?? 0) % slots; ; slot = (slot + 1) % slots) {
      const at = slot * words;
      const pack = cells[at + idWords] ?? 0;
      if (pack === noPack) return -1 - at;
      const isSame =
        cells[at] === key[0] && cells[at + 1] === key[1] && cells[at + 2] === key[2] && cells[at + 3] === key[3];
      if (isSame && (pack & treeFlag) >>> 0 === flag) return at;
    }
  };
  const grow = () => {
    const old = cells;
    slots *= 2;
    cells = new Uint32Array(slots * words);
    for (let from = 0; from < old.length; from += words) {
      const pack = old[from + idWords] ?? 0;
      if (pack === noPack) continue;
      key.set(old.subarray(from, from + idWords));
      cells.set(old.subarray(from, from + words), -1 - slotOf((pack & treeFlag) === 0 ? 'data' : 'tree'));
    }
  };
  return {
    get size() {
      return size;
    },
    packs: () => packs,
    endOf: (pack) => ends[numbers.get(pack) ?? -1] ?? 0,
    add(pack, blobs) {
      let number = numbers.get(pack);
      if (number === undefined) {
        packs.push(pack);
        number = packs.length;
        numbers.set(pack, number);
      }
      let end = ends[number] ?? 0;
      for (const { id, type, offset, length, uncompressedLength } of blobs) {
        end = Math.max(end, offset + length);
        if (size > slots * 0.7) grow();
        setKey(id);
        const place = slotOf(type);
        if (place >= 0) continue;
        const at = -1 - place;
        size++;
        cells.set(key, at);
        cells[at + idWords] = number + (type === 'tree' ? treeFlag : 0);
        cells[at + idWords + 1] = offset;
        cells[at + idWords + 2] = length;
        // 0 means stored as it is; an empty compressed blob doesn't exist.
        cells[at + idWords + 3] = uncompressedLength ?? 0;
      }
      ends[number] = end;
    },
    find(id, type) {
      setKey(id);
      const at = slotOf(type);
      if (at < 0) return undefined;
      const [number = 0, offset = 0, length = 0, uncompressed = 0] = cells.subarray(at + idWords, at + words);
      const pack = packs[((number & ~treeFlag) >>> 0) - 1] ?? '';
      return { id, type, pack, offset, length, uncompressedLength: uncompressed === 0 ? undefined : uncompressed };
    },
  };
}
