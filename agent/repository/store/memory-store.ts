/** Objects in memory: for tests and simulations; the same suite as the real ones. */
import { failRepository } from '../repository-error.ts';
import { isObjectName, type ObjectStore } from './object-store.ts';

export interface MemoryStore extends ObjectStore {
  readonly objects: Map<string, Buffer>;
}

export function memoryStore(objects = new Map<string, Buffer>()): MemoryStore {
  return {
    objects,
    description: 'memory',
    async put(name, bytes) {
      if (!isObjectName(name)) failRepository('ObjectNameInvalid', 'An object has an impossible name', name);
      const before = objects.get(name);
      if (before === undefined) objects.set(name, Buffer.from(bytes));
      else if (before.length !== bytes.length)
        failRepository('ObjectExists', 'Another object has this name already', name, 'Check the repository.');
    },
    async get(name, range) {
      const bytes = objects.get(name) ?? failRepository('ObjectMissing', 'An object is missing', name);
      if (range === undefined) return Buffer.from(bytes);
      if (range.offset + range.length > bytes.length)
        failRepository('ObjectTooShort', 'An object ends before the range that was asked for', name);
      return Buffer.from(bytes.subarray(range.offset, range.offset + range.length));
    },
    sizeOf: async (name) => objects.get(name)?.length,
    async *list(prefix) {
      for (const [name, { length }] of [...objects]) if (name.startsWith(prefix)) yield { name, sizeBytes: length };
    },
    async remove(name) {
      objects.delete(name);
    },
  };
}
