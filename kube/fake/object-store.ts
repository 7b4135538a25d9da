/**
 * Objects by collection and key with one revision counter and a history of changes, as etcd keeps them. Knows nothing of
 * kinds; what goes in is frozen, and what comes out is the same value.
 */
import type { AnyObject, ObjectKey } from '../client/client.ts';
import type { FieldManager } from './field-managers.ts';

export interface StoredObject {
  readonly object: AnyObject;
  readonly managers: readonly FieldManager[];
}

export interface StoredChange {
  readonly revision: number;
  /** `group/plural`. */
  readonly collection: string;
  readonly before: AnyObject | undefined;
  /** Of a deletion: the object as it was last, with the revision of its deletion. */
  readonly after: AnyObject;
  readonly type: 'Put' | 'Remove';
}

export interface ObjectStore {
  readonly revision: number;
  /** Changes up to here are forgotten: nobody can watch from before. */
  readonly compactedRevision: number;
  find(collection: string, key: ObjectKey): StoredObject | undefined;
  /** In the order of namespace and name. */
  all(collection: string): readonly StoredObject[];
  everything(): Iterable<readonly [collection: string, stored: StoredObject]>;
  /** Stores the object under the next revision, which becomes its resourceVersion. */
  put(collection: string, stored: StoredObject): StoredObject;
  remove(collection: string, key: ObjectKey): void;
  changesAfter(revision: number): readonly StoredChange[];
  compact(): void;
  subscribe(onChange: (change: StoredChange) => void): Disposable;
}

export function createObjectStore(): ObjectStore {
  const collections = new Map<string, Map<string, StoredObject>>();
  const subscribers = new Set<(change: StoredChange) => void>();
  let history: StoredChange[] = [];
  let revision = 1;
  let compactedRevision = 0;
  const collectionOf = (name: string) => {
    const known = collections.get(name) ?? new Map<string, StoredObject>();
    collections.set(name, known);
    return known;
  };
  const record = (change: StoredChange) => {
    history.push(change);
    for (const subscriber of [...subscribers]) subscriber(change);
  };
  return {
    get revision() {
      return revision;
    },
    get compactedRevision() {
      return compactedRevision;
    },
    find: (collection, key) => collectionOf(collection).get(keyText(key)),
    all: (collection) =>
      [...collectionOf(collection)].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, stored]) => stored),
    *everything() {
      for (const [collection, objects] of collections) {
        for (const stored of [...objects.values()]) yield [collection, stored];
      }
    },
    put(collection, stored) {
      revision += 1;
      const objects = collectionOf(collection);
      const key = keyText(stored.object.metadata);
      const before = objects.get(key)?.object;
      const next = { ...stored, object: withRevision(stored.object, revision) };
      objects.set(key, next);
      record({ revision, collection, before, after: next.object, type: 'Put' });
      return next;
    },
    remove(collection, key) {
      const objects = collectionOf(collection);
      const before = objects.get(keyText(key))?.object;
      if (before === undefined) return;
      revision += 1;
      objects.delete(keyText(key));
      record({ revision, collection, before, after: withRevision(before, revision), type: 'Remove' });
    },
    changesAfter: (after) => history.filter((change) => change.revision > after),
    compact() {
      history = [];
      compactedRevision = revision;
    },
    subscribe(onChange) {
      subscribers.add(onChange);
      return { [Symbol.dispose]: () => void subscribers.delete(onChange) };
    },
  };
}

/** Sorts as etcd's keys do: the separator is below every character of a name. */
const keyText = (key: ObjectKey) => `${key.namespace ?? ''}\u0000${key.name}`;

function withRevision(object: AnyObject, revision: number): AnyObject {
  const metadata = Object.freeze({ ...object.metadata, resourceVersion: String(revision) });
  return Object.freeze({ ...object, metadata });
}
