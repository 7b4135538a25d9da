/**
 * Where a repository's objects lie. Names are restic's layout: `config`, `keys/ID`, `data/xx/ID`, `index/ID`, `snapshots/ID`,
 * `locks/ID`, and ours below `stork/`. Objects are written once and never change. Every kind passes testing/store-suite.ts.
 */
export interface StoredObject {
  readonly name: string;
  readonly sizeBytes: number;
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface ObjectStore {
  /** For people: kind and place, no secret. */
  readonly description: string;
  /**
   * Makes the object durable under its name, whole or not at all. Repeatable: an object of this name and size that is there already is
   * kept (names are digests of the bytes). Throws StorkError `ObjectExists` for another size, `StoreUnavailable` (retryable).
   */
  put(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Throws `ObjectMissing`; `ObjectTooShort` when the range reaches beyond its end. */
  get(name: string, range?: ByteRange, signal?: AbortSignal): Promise<Buffer>;
  /** Undefined when there is none. */
  sizeOf(name: string, signal?: AbortSignal): Promise<number | undefined>;
  /** Everything below a prefix that ends with `/`, in any order. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject>;
  /** Removing what isn't there is no error. */
  remove(name: string, signal?: AbortSignal): Promise<void>;
}

const safeName = /^[a-z0-9][a-z0-9-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;
export const isObjectName = (name: string): boolean =>
  name.length <= 512 && safeName.test(name) && !name.includes('..');
