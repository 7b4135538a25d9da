/** For tests: objects in memory, all versions of them kept, with locks; passes the suite that a bucket with object lock passes. */
import { completeStore, type ObjectStore } from '../object-store.ts';
import type { ObjectLock, ObjectVersion, StoreVersions } from '../object-versions.ts';
import { failMissing, failTooShort, storeRefused } from '../store-error.ts';

export interface VersionedStore extends ObjectStore {
  readonly versions: StoreVersions;
  /** As an attacker does it: whatever is there. */
  overwrite(name: string, bytes: Uint8Array): void;
}

export interface VersionedStoreOptions {
  readonly now: () => Date;
  /** What puts lock; nothing unless said. */
  readonly lockOf?: (name: string) => ObjectLock | undefined;
  readonly pageObjects?: number;
}

interface Kept extends Omit<ObjectVersion, 'isLatest'> {
  readonly bytes: Buffer;
  lock: ObjectLock | undefined;
}

export function versionedStore({ now, lockOf, pageObjects = 1000 }: VersionedStoreOptions): VersionedStore {
  /** Newest first. */
  const kept = new Map<string, Kept[]>();
  let made = 0;
  const add = (name: string, kind: ObjectVersion['kind'], bytes: Buffer, lock: ObjectLock | undefined) => {
    const one: Kept = { id: `v${++made}`, kind, sizeBytes: bytes.length, madeAt: now(), bytes, lock };
    kept.set(name, [one, ...(kept.get(name) ?? [])]);
  };
  const current = (name: string): Kept | undefined => {
    const latest = kept.get(name)?.[0];
    return latest?.kind === 'Object' ? latest : undefined;
  };
  const find = (name: string, id: string): Kept => kept.get(name)?.find((one) => one.id === id) ?? failMissing(name);
  const cut = (name: string, bytes: Buffer, range?: { readonly offset: number; readonly length: number }) => {
    const { offset, length } = range ?? { offset: 0, length: bytes.length };
    return offset + length > bytes.length ? failTooShort(name) : Buffer.from(bytes.subarray(offset, offset + length));
  };
  const of = (name: string): readonly ObjectVersion[] =>
    (kept.get(name) ?? []).map(({ id, kind, sizeBytes, madeAt }, place) => ({
      ...{ id, kind, sizeBytes, madeAt },
      isLatest: place === 0,
    }));
  const pageOf = (names: readonly string[], prefix: string, from = '') => {
    const wanted = names.filter((name) => name.startsWith(prefix) && name > from).sort();
    const page = wanted.slice(0, pageObjects);
    return { page, next: wanted.length > page.length ? page.at(-1) : undefined };
  };
  const refuse = (what: string, name: string): never => {
    throw storeRefused(what, name, 'Wait.');
  };
  const isLocked = ({ lock }: Kept) => lock !== undefined && lock.until > now();
  const versions: StoreVersions = {
    areKept: async () => 'Yes',
    async page(prefix, from) {
      const { page, next } = pageOf([...kept.keys()], prefix, from);
      return { names: page.map((name) => ({ name, versions: of(name) })), next };
    },
    of: async (name) => of(name),
    get: async (name, id, range) => cut(name, find(name, id).bytes, range),
    lockOf: async (name, id) => find(name, id).lock,
    async lock(name, id, lock) {
      const one = find(name, id);
      if (isLocked(one) && one.lock !== undefined && lock.until < one.lock.until)
        refuse('a lock gets no shorter', name);
      one.lock = lock;
    },
    async remove(name, id) {
      const all = kept.get(name) ?? [];
      if (all.some((one) => one.id === id && isLocked(one))) refuse('it is locked', name);
      const left = all.filter((one) => one.id !== id);
      if (left.length === 0) kept.delete(name);
      else kept.set(name, left);
    },
  };
  const store = completeStore({
    description: 'memory with versions',
    async create(name, bytes) {
      if (current(name) !== undefined) return 'Taken';
      add(name, 'Object', Buffer.from(bytes), lockOf?.(name));
      return 'Made';
    },
    async *read(name, range) {
      yield cut(name, (current(name) ?? failMissing(name)).bytes, range);
    },
    sizeOf: async (name) => current(name)?.sizeBytes,
    async page(prefix, from) {
      const there = [...kept.keys()].filter((name) => current(name) !== undefined);
      const { page, next } = pageOf(there, prefix, from);
      const objects = page.flatMap((name) => {
        const { sizeBytes, madeAt } = current(name) ?? {};
        return sizeBytes === undefined || madeAt === undefined ? [] : [{ name, sizeBytes, modifiedAt: madeAt }];
      });
      return { objects, next };
    },
    async remove(name) {
      if (current(name) !== undefined) add(name, 'Deletion', Buffer.alloc(0), undefined);
    },
    removeLeftovers: async () => 0,
  });
  return { ...store, versions, overwrite: (name, bytes) => add(name, 'Object', Buffer.from(bytes), undefined) };
}
