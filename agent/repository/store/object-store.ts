/**
 * Where a repository's objects lie. Names are restic's layout: `config`, `keys/ID`, `data/xx/ID`, `index/ID`, `snapshots/ID`,
 * `locks/ID`, and ours below `stork/`. Objects are written once and never change. Every kind passes testing/store-suite.ts.
 *
 * Errors are StoreErrors (store-error.ts); `retryable` says whether the same call may succeed later. Each call may be repeated
 * after any failure: what an earlier try did already is found and kept. Deciding to repeat is retry-store.ts' alone.
 */
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import type { StoreVersions } from './object-versions.ts';
import { acceptEqual, failImpossibleName } from './store-error.ts';

export interface StoredObject {
  readonly name: string;
  readonly sizeBytes: number;
  /** By the store's clock. */
  readonly modifiedAt: Date;
}

/** At least one byte. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface StoredPage {
  readonly objects: readonly StoredObject[];
  /** Where the next page begins; undefined after the last. Opaque, and only for the same prefix. */
  readonly next?: string | undefined;
}

export interface ObjectStore {
  /** For people: kind and place, no secret. */
  readonly description: string;
  /**
   * Makes the object durable under its name, whole or not at all, and only if no other has the name: of two that put different bytes
   * under one name at once, one gets `ObjectExists` and the other's object stays. Equal bytes are a repeat, which succeeds. What
   * arrived is proven by a checksum where there is a wire between. A name that ends in 64 hex digits must be the bytes' SHA-256: it
   * serves as that checksum.
   */
  put(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Throws `ObjectMissing`; `ObjectTooShort` when the range reaches beyond its end. Never fewer bytes than asked for, and they are the caller's alone. */
  get(name: string, range?: ByteRange, signal?: AbortSignal): Promise<Buffer>;
  /** As `get`, piece by piece in order. Ends early only by throwing. */
  read(name: string, range?: ByteRange, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** Undefined when there is none. */
  sizeOf(name: string, signal?: AbortSignal): Promise<number | undefined>;
  /** Everything below a prefix that ends with `/` (or is empty: everything), in any order; each object that is there all the while, once. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject>;
  /** One page of `list`, so that a failure costs a page. `from` is the page before's `next`. A page may be empty and not the last. */
  page(prefix: string, from?: string, signal?: AbortSignal): Promise<StoredPage>;
  /** Removing what isn't there is no error. */
  remove(name: string, signal?: AbortSignal): Promise<void>;
  /** As `remove` for each, in as few requests as the store can; after a failure some may be gone. */
  removeMany(names: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Removes what puts that never ended left behind before `before`, never an object. Returns how many. */
  removeLeftovers(before: Date, signal?: AbortSignal): Promise<number>;
  /** What the names stood for earlier, where the kind of store has such a thing. */
  readonly versions?: StoreVersions | undefined;
  /**
   * Whether names below `stork/` are kept; not told where they are. `None` (another program's server): putting one is refused, and who else
   * works on the repository can't be told anything by one (repository-lock.ts).
   */
  readonly privateNames?: ((signal?: AbortSignal) => Promise<'Kept' | 'None'>) | undefined;
}

/** What a kind of store writes by itself; `completeStore` adds what follows from it. */
export type StoreCore = Omit<ObjectStore, 'get' | 'list' | 'put' | 'removeMany'> &
  Partial<Pick<ObjectStore, 'get' | 'removeMany'>> & {
    /** Makes the object durable unless something has its name. */
    create(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<'Made' | 'Taken'>;
  };

/** Removals under way at once where a store removes one at a time. */
const removalsAtOnce = 8;

/** `removeMany` made of `remove`. */
export async function removeEach(
  remove: ObjectStore['remove'],
  names: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  await mapLimit(names, removalsAtOnce, remove, signal);
}

/** Refuses impossible names and prefixes before the store sees them, and begins nothing that was told to stop. */
export function completeStore(core: StoreCore): ObjectStore {
  const { get = (name, range, signal) => collect(core.read(name, range, signal), range?.length) } = core;
  const checked = (name: string, signal: AbortSignal | undefined) => {
    signal?.throwIfAborted();
    return checkName(name);
  };
  const page: ObjectStore['page'] = async (prefix, from, signal) => {
    signal?.throwIfAborted();
    return core.page(checkPrefix(prefix), from, signal);
  };
  const remove: ObjectStore['remove'] = async (name, signal) => core.remove(checked(name, signal), signal);
  return {
    description: core.description,
    async put(name, bytes, signal) {
      if ((await core.create(checked(name, signal), bytes, signal)) === 'Taken')
        await acceptEqual({ get, sizeOf: core.sizeOf }, name, bytes, signal);
    },
    get: async (name, range, signal) => get(checked(name, signal), range, signal),
    async *read(name, range, signal) {
      yield* core.read(checked(name, signal), range, signal);
    },
    sizeOf: async (name, signal) => core.sizeOf(checked(name, signal), signal),
    list: (prefix, signal) => listByPages(page, prefix, signal),
    page,
    remove,
    async removeMany(names, signal) {
      for (const name of names) checked(name, signal);
      if (core.removeMany === undefined) await removeEach(remove, names, signal);
      else await core.removeMany(names, signal);
    },
    removeLeftovers: core.removeLeftovers,
    versions: core.versions,
    privateNames: core.privateNames,
  };
}

/** What decorators do to `privateNames`. */
export function wrapPrivateNames(
  { privateNames }: ObjectStore,
  around: <Result>(signal: AbortSignal | undefined, call: () => Promise<Result>) => Promise<Result>,
): ObjectStore['privateNames'] {
  return privateNames === undefined ? undefined : (signal) => around(signal, () => privateNames(signal));
}

/** `list` made of `page`. */
export async function* listByPages(
  page: ObjectStore['page'],
  prefix: string,
  signal?: AbortSignal,
): AsyncGenerator<StoredObject> {
  for (let from: string | undefined; ; ) {
    const { objects, next } = await page(prefix, from, signal);
    yield* objects;
    if (next === undefined) return;
    from = next;
  }
}

/**
 * `get` made of `read`.
 * @param length in bytes, when it is known: then pieces need not lie in memory beside the whole
 */
export async function collect(pieces: AsyncIterable<Uint8Array>, length?: number): Promise<Buffer> {
  if (length === undefined) return Buffer.concat(await Array.fromAsync(pieces));
  let whole: Buffer | undefined;
  let received = 0;
  for await (const piece of pieces) {
    // Not before the store has said that there is so much. That it sent more it says itself, in the end.
    whole ??= Buffer.allocUnsafeSlow(length);
    whole.set(piece.subarray(0, length - received), received);
    received = Math.min(length, received + piece.length);
  }
  return whole?.subarray(0, received) ?? Buffer.alloc(0);
}

const safeName = /^[a-z0-9][a-z0-9-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;
const isObjectName = (name: string): boolean => name.length <= 512 && safeName.test(name) && !name.includes('..');

function checkName(name: string): string {
  return isObjectName(name) ? name : failImpossibleName(name);
}

function checkPrefix(prefix: string): string {
  return prefix === '' || (prefix.endsWith('/') && isObjectName(prefix.slice(0, -1)))
    ? prefix
    : failImpossibleName(prefix);
}
