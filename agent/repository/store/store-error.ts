/** How stores fail: a StorkError with a stable code, and how long the store asked us to wait. */
import { StorkError, type StorkErrorFields } from '../../../kube/errors.ts';
import type { ObjectStore } from './object-store.ts';
import type { NetworkFailure } from './transport-error.ts';

export class StoreError extends StorkError {
  override readonly name = 'StoreError';
  /** What the store asked for (Retry-After); undefined when it said nothing. */
  readonly retryAfterMs: number | undefined;
  /** It asked for fewer requests. */
  readonly isOverloaded: boolean;

  constructor({ retryAfterMs, isOverloaded = false, ...fields }: StorkErrorFields & Omit<Trouble, 'cause'>) {
    super(fields);
    this.retryAfterMs = retryAfterMs;
    this.isOverloaded = isOverloaded;
  }
}

export function failImpossibleName(name: string): never {
  throw new StoreError({ code: 'ObjectNameInvalid', message: 'An object has an impossible name', about: name });
}

export function failMissing(name: string): never {
  throw new StoreError({ code: 'ObjectMissing', message: 'An object is missing', about: name });
}

export function failTooShort(name: string): never {
  throw new StoreError({
    code: 'ObjectTooShort',
    message: 'An object ends before the range that was asked for',
    about: name,
  });
}

/** The object's bytes stopped coming, or too many came: what was received is worth nothing, another try may be. */
export function failCutOff(name: string, cause?: unknown): never {
  throw unavailable('the answer ended before its end', name, { cause });
}

export interface Trouble {
  readonly cause?: unknown;
  readonly retryAfterMs?: number | undefined;
  readonly isOverloaded?: boolean | undefined;
}

export function unavailable(what: string, about: string, trouble: Trouble = {}): StoreError {
  return new StoreError({
    code: 'StoreUnavailable',
    message: `The store failed: ${what}`,
    about,
    hint: 'Nothing is lost; it is tried again.',
    retryable: true,
    ...trouble,
  });
}

/** @param place an address that has not answered yet, and may be another's */
export function storeUnreachable(place: string, { kind, error }: NetworkFailure): StoreError {
  return new StoreError({ ...unreachable[kind], about: place, retryable: true, cause: error });
}

const unreachable = {
  UnknownHost: {
    code: 'StoreUnreachable',
    message: 'The store has a host that nobody knows by that name',
    hint: 'Correct the address, or look at the name servers of this machine.',
  },
  NothingListens: {
    code: 'StoreUnreachable',
    message: 'Nothing listens where the store should be',
    hint: 'Look at host and port of the address, and whether the server runs.',
  },
  NoAnswer: {
    code: 'StoreUnreachable',
    message: 'The store does not answer',
    hint: 'Look at the address (host, port, http or https), whether the server runs, and at firewalls and proxies on the way.',
  },
} as const;

export function storeFull(about: string, cause: unknown): StoreError {
  return new StoreError({
    code: 'StoreFull',
    message: 'The store has no room left',
    about,
    hint: 'Remove old restore points (`forget`, then `prune`, which need no room), or give it more room.',
    cause,
  });
}

/** @param hint what whoever reads it should change */
export function storeRefused(what: string, about: string, hint: string, cause?: unknown): StoreError {
  return new StoreError({ code: 'StoreRefused', message: `The store refuses: ${what}`, about, hint, cause });
}

/** @param place what has no versions to look at */
export function versionsMissing(place: string): StoreError {
  return new StoreError({
    code: 'VersionsMissing',
    message: 'The store keeps no older versions, so it has no past to look at',
    about: place,
    hint: 'This needs an S3 bucket with versioning, best with object lock, from before the time in question (docs/repository-care.md).',
  });
}

export function failReadOnly(place: string): never {
  throw new StoreError({
    code: 'StoreReadOnly',
    message: 'What a store was at an earlier time can only be read',
    about: place,
    hint: 'Leave --as-of out to change the repository as it is now.',
  });
}

export function storeMissing(place: string, cause?: unknown): StoreError {
  return new StoreError({
    code: 'StoreMissing',
    message: `${place} does not exist`,
    about: place,
    hint: 'Make it first, or correct the address; stork never makes buckets.',
    cause,
  });
}

/** How `put` ends when its name is taken: well, when what lies there is what it brought. */
export async function acceptEqual(
  store: Pick<ObjectStore, 'get' | 'sizeOf'>,
  name: string,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const sizeBytes = await store.sizeOf(name, signal);
  if (sizeBytes === bytes.length) {
    if (sizeBytes === 0 || (await store.get(name, undefined, signal)).equals(bytes)) return;
  } else if (sizeBytes === undefined) throw unavailable('an object came and went', name);
  throw new StoreError({
    code: 'ObjectExists',
    message: 'Another object has this name already',
    about: name,
    hint: 'It was not touched. If it is damaged, `stork-agent verify` says so.',
  });
}
