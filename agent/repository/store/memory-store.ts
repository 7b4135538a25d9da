/** Objects in memory: for tests and simulations; the same suite as the real ones. */
import { type ByteRange, completeStore, type ObjectStore, type StoredObject } from './object-store.ts';
import { failMissing, failTooShort } from './store-error.ts';

export interface MemoryStore extends ObjectStore {
  /** By name; tests damage them here. */
  readonly objects: Map<string, Buffer>;
}

export interface MemoryStoreOptions {
  readonly now?: () => Date;
  readonly pageObjects?: number;
}

/** Pieces of `read`. */
const pieceBytes = 64 * 1024;

export function memoryStore(
  objects = new Map<string, Buffer>(),
  { now = () => new Date(0), pageObjects = 1000 }: MemoryStoreOptions = {},
): MemoryStore {
  const modified = new Map<string, Date>();
  const get = async (name: string, range?: ByteRange) => {
    const bytes = objects.get(name) ?? failMissing(name);
    const { offset, length } = range ?? { offset: 0, length: bytes.length };
    return offset + length > bytes.length ? failTooShort(name) : Buffer.from(bytes.subarray(offset, offset + length));
  };
  const sizeOf = async (name: string) => objects.get(name)?.length;
  const describe = (name: string, bytes: Buffer): StoredObject => ({
    ...{ name, sizeBytes: bytes.length },
    modifiedAt: modified.get(name) ?? new Date(0),
  });
  const store = completeStore({
    description: 'memory',
    async create(name, bytes) {
      if (objects.has(name)) return 'Taken';
      objects.set(name, Buffer.from(bytes));
      modified.set(name, now());
      return 'Made';
    },
    get,
    async *read(name, range) {
      const bytes = await get(name, range);
      for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
    },
    sizeOf,
    async page(prefix, from = '') {
      const names = [...objects.keys()].filter((name) => name.startsWith(prefix) && name > from).sort();
      const page = names.slice(0, pageObjects);
      const found = page.flatMap((name) => {
        const bytes = objects.get(name);
        return bytes === undefined ? [] : [describe(name, bytes)];
      });
      return { objects: found, next: names.length > page.length ? page.at(-1) : undefined };
    },
    async remove(name) {
      objects.delete(name);
    },
    removeLeftovers: async () => 0,
  });
  return { ...store, objects };
}
