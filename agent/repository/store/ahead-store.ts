/**
 * Fetches what a command will surely read while it still waits for something else. Only objects named by their digest: whatever happens
 * until they are asked for, their bytes can't be others. Whoever asks has listed them anew, so that what was deleted meanwhile stays unseen.
 */
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { isId } from '../format/object-id.ts';
import type { ObjectStore, StoredObject } from './object-store.ts';

/** Of one prefix; others come when they are asked for. Bounds memory, and what is fetched for nothing. */
const aheadAtMost = { objects: 16, bytes: 8 * 1024 * 1024 } as const;
const readsAtOnce = 4;

/** The same store; what came ahead is given out once, then asked for as ever. @param prefixes each ends with `/` */
export function aheadStore(store: ObjectStore, prefixes: readonly string[], signal?: AbortSignal): ObjectStore {
  const ahead = new Map<string, Promise<Buffer | undefined>>();
  const fetch = async ({ name }: StoredObject): Promise<void> => {
    // Whoever needs it is told by asking again.
    const bytes = store.get(name, undefined, signal).catch(() => undefined);
    ahead.set(name, bytes);
    await bytes;
  };
  const fetchBelow = async (prefix: string): Promise<void> => {
    const { objects } = await store.page(prefix, undefined, signal);
    const wanted = planAhead(objects.filter(({ name }) => isId(name.slice(prefix.length))));
    await mapLimit(wanted, readsAtOnce, fetch, signal);
  };
  for (const prefix of prefixes) void fetchBelow(prefix).catch(() => undefined);
  return {
    ...store,
    async get(name, range, asking) {
      const bytes = range === undefined ? ahead.get(name) : undefined;
      ahead.delete(name);
      return (await bytes) ?? (await store.get(name, range, asking));
    },
  };
}

/** The first of them, within bounds. */
export function planAhead(objects: readonly StoredObject[]): readonly StoredObject[] {
  let bytes = 0;
  return objects.slice(0, aheadAtMost.objects).filter(({ sizeBytes }) => {
    bytes += sizeBytes;
    return bytes <= aheadAtMost.bytes;
  });
}
