/** For tests: a store that is full at some size, as a bucket with a quota or a disk. */
import { failRepository } from '../repository-error.ts';
import type { MemoryStore } from '../store/memory-store.ts';

/** @param limit how many bytes go in; may be changed at any time */
export function smallStore(inner: MemoryStore, limit: { bytes: number }): MemoryStore {
  const used = () => [...inner.objects.values()].reduce((sum, { length }) => sum + length, 0);
  return {
    ...inner,
    async put(name, bytes) {
      if (!inner.objects.has(name) && used() + bytes.length > limit.bytes)
        failRepository('StoreFull', 'The store has no room left', name);
      await inner.put(name, bytes);
    },
  };
}
