/**
 * What a store that keeps versions can do besides: an object that was removed or overwritten is still there as an older version, and a
 * lock on a version keeps everybody from removing it until a date. A facet: stores that keep none have no `versions`.
 *
 * Every call may be repeated; errors are StoreErrors as in object-store.ts.
 */
import type { ByteRange } from './object-store.ts';

export interface ObjectVersion {
  /** The store's own; opaque. */
  readonly id: string;
  /** `Deletion`: from its time on the name was gone (S3's delete marker). */
  readonly kind: 'Object' | 'Deletion';
  /** 0 for a deletion. */
  readonly sizeBytes: number;
  /** By the store's clock; S3 tells whole seconds. */
  readonly madeAt: Date;
  /** What the name stands for now. */
  readonly isLatest: boolean;
}

/** Of one name; an attacker may have made millions. What is left out is neither among the newest half of so many nor the oldest. */
export const versionsTold = 1000;

export interface VersionedName {
  readonly name: string;
  /** Newest first, at least one and at most `versionsTold`. */
  readonly versions: readonly ObjectVersion[];
}

export interface VersionsPage {
  readonly names: readonly VersionedName[];
  /** As a StoredPage's. */
  readonly next?: string | undefined;
}

/** S3's two kinds: a governance lock ends early for who has a right of its own, a compliance lock for nobody. */
export interface ObjectLock {
  readonly mode: 'GOVERNANCE' | 'COMPLIANCE';
  readonly until: Date;
}

export interface StoreVersions {
  /** Whether older versions stay. `Unknown`: the server doesn't say, or not to us. */
  areKept(signal?: AbortSignal): Promise<'Yes' | 'No' | 'Unknown'>;
  /** All names below a prefix that have a version, removed ones too; each on one page. As `page` of a store. */
  page(prefix: string, from?: string, signal?: AbortSignal): Promise<VersionsPage>;
  /** Newest first; empty when there never was one. */
  of(name: string, signal?: AbortSignal): Promise<readonly ObjectVersion[]>;
  /** As `get` of a store. */
  get(name: string, id: string, range?: ByteRange, signal?: AbortSignal): Promise<Buffer>;
  /** Undefined: nothing keeps the version. */
  lockOf(name: string, id: string, signal?: AbortSignal): Promise<ObjectLock | undefined>;
  /** Sets the lock. The store refuses an earlier end than the lock it has. */
  lock(name: string, id: string, lock: ObjectLock, signal?: AbortSignal): Promise<void>;
  /** For good. Throws `StoreRefused` while it is locked. Removing the deletion on top brings the version below it back. */
  remove(name: string, id: string, signal?: AbortSignal): Promise<void>;
}

export type VersionsOperation = 'get' | 'list' | 'put' | 'remove';

/** What decorators do to the facet: every call through `around`. */
export function wrapVersions(
  versions: StoreVersions | undefined,
  around: <Result>(
    signal: AbortSignal | undefined,
    call: () => Promise<Result>,
    operation: VersionsOperation,
  ) => Promise<Result>,
): StoreVersions | undefined {
  if (versions === undefined) return undefined;
  return {
    areKept: (signal) => around(signal, () => versions.areKept(signal), 'get'),
    page: (prefix, from, signal) => around(signal, () => versions.page(prefix, from, signal), 'list'),
    of: (name, signal) => around(signal, () => versions.of(name, signal), 'list'),
    get: (name, id, range, signal) => around(signal, () => versions.get(name, id, range, signal), 'get'),
    lockOf: (name, id, signal) => around(signal, () => versions.lockOf(name, id, signal), 'get'),
    lock: (name, id, lock, signal) => around(signal, () => versions.lock(name, id, lock, signal), 'put'),
    remove: (name, id, signal) => around(signal, () => versions.remove(name, id, signal), 'remove'),
  };
}

/** Every name that has a version, page by page. */
export async function* listVersions(
  versions: Pick<StoreVersions, 'page'>,
  prefix: string,
  signal?: AbortSignal,
): AsyncGenerator<readonly VersionedName[]> {
  for (let from: string | undefined; ; ) {
    const { names, next } = await versions.page(prefix, from, signal);
    yield names;
    if (next === undefined) return;
    from = next;
  }
}

/**
 * Newest first. Times of a second say nothing about the order within it: what the name stands for now is the newest then, and of a
 * version and a deletion the version is, for it is better to see too much than too little.
 */
export const newestFirst = (left: ObjectVersion, right: ObjectVersion): number =>
  Number(right.isLatest) - Number(left.isLatest) ||
  right.madeAt.getTime() - left.madeAt.getTime() ||
  Number(left.kind === 'Deletion') - Number(right.kind === 'Deletion');
