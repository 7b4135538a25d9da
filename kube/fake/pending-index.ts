/** Which objects the collector must look at, kept up to date with the store: those with owners and those being deleted. */
import type { AnyObject } from '../client/client.ts';
import type { ObjectStore, StoredChange, StoredObject } from './object-store.ts';

export interface PendingIndex {
  /** Of everything that is stored. */
  readonly uids: ReadonlySet<string | undefined>;
  candidates(): Iterable<readonly [collection: string, stored: StoredObject]>;
}

export function indexPending(store: ObjectStore): PendingIndex {
  const uids = new Set<string | undefined>();
  const pending = new Map<string, readonly [collection: string, key: AnyObject['metadata']]>();
  store.subscribe(({ type, collection, after }: StoredChange) => {
    const { metadata } = after;
    const id = `${collection} ${metadata.namespace} ${metadata.name}`;
    if (type === 'Put') uids.add(metadata.uid);
    else uids.delete(metadata.uid);
    const isPending = metadata.deletionTimestamp !== undefined || (metadata.ownerReferences ?? []).length > 0;
    if (type === 'Put' && isPending) pending.set(id, [collection, metadata]);
    else pending.delete(id);
  });
  return {
    uids,
    *candidates() {
      for (const [collection, key] of [...pending.values()]) {
        const stored = store.find(collection, key);
        if (stored !== undefined) yield [collection, stored];
      }
    },
  };
}
