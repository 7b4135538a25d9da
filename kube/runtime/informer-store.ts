/** The cache of an informer: projected entries by key, their indexes, and the changes that follow from what is put in. */
import type { KubeObject } from '../client/client.ts';
import type { Change, InformerDefinition } from './informer.ts';
import { keyOf } from './key.ts';

export interface InformerStore<T, Entry> {
  put(object: T): void;
  delete(key: string): void;
  /** A full list in pieces: what was not put before `finish` is deleted then. */
  beginRelist(): { put(object: T): void; finish(): void };
  find(key: string): Entry | undefined;
  entries(): Iterable<readonly [key: string, entry: Entry]>;
  inNamespace(namespace: string): readonly Entry[];
  by(index: string, value: string): readonly Entry[];
  readonly size: number;
}

interface Slot<Entry> {
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly entry: Entry;
  /** `index\0value` of each index value, as they were when the entry was put. */
  readonly indexKeys: readonly string[];
}

const namespaceIndex = 'metadata.namespace';

export function createStore<T extends KubeObject, Entry>(
  definition: InformerDefinition<T, Entry>,
  onChange: (change: Change<Entry>) => void,
): InformerStore<T, Entry> {
  const slots = new Map<string, Slot<Entry>>();
  const index = new Map<string, Set<string>>();
  const indexers = Object.entries(definition.indexers ?? {});
  const known = new Set([namespaceIndex, ...indexers.map(([name]) => name)]);

  const unindex = (key: string, slot: Slot<Entry>) => {
    for (const indexKey of slot.indexKeys) {
      const keys = index.get(indexKey);
      keys?.delete(key);
      if (keys?.size === 0) index.delete(indexKey);
    }
  };
  const remove = (key: string) => {
    const slot = slots.get(key);
    if (slot === undefined) return;
    unindex(key, slot);
    slots.delete(key);
    onChange({ type: 'Deleted', key, before: slot.entry });
  };
  const store = (key: string, object: T, entry: Entry) => {
    const before = slots.get(key);
    if (before !== undefined) unindex(key, before);
    const indexKeys = indexers.flatMap(([name, values]) => values(entry).map((value) => `${name}\0${value}`));
    if (object.metadata.namespace !== undefined) indexKeys.push(`${namespaceIndex}\0${object.metadata.namespace}`);
    const { uid, resourceVersion } = object.metadata;
    slots.set(key, { uid, resourceVersion, entry, indexKeys });
    for (const indexKey of indexKeys) {
      const keys = index.get(indexKey);
      if (keys === undefined) index.set(indexKey, new Set([key]));
      else keys.add(key);
    }
    onChange(
      before === undefined
        ? { type: 'Added', key, now: entry }
        : { type: 'Changed', key, before: before.entry, now: entry },
    );
  };
  const put = (object: T) => {
    const key = keyOf(object);
    const before = slots.get(key);
    if (before !== undefined && before.uid !== object.metadata.uid) remove(key);
    else if (before !== undefined && before.resourceVersion === object.metadata.resourceVersion) return;
    const entry = definition.project(object);
    if (entry === undefined) remove(key);
    else store(key, object, entry);
  };
  const lookUp = (name: string, value: string): readonly Entry[] => {
    if (!known.has(name)) throw new TypeError(`no index ${name} on ${definition.resource.plural}`);
    const found: Entry[] = [];
    for (const key of index.get(`${name}\0${value}`) ?? []) {
      const slot = slots.get(key);
      if (slot !== undefined) found.push(slot.entry);
    }
    return found;
  };
  return {
    put,
    delete: remove,
    beginRelist() {
      const seen = new Set<string>();
      return {
        put(object) {
          seen.add(keyOf(object));
          put(object);
        },
        finish() {
          for (const key of [...slots.keys()]) if (!seen.has(key)) remove(key);
        },
      };
    },
    find: (key) => slots.get(key)?.entry,
    *entries() {
      for (const [key, slot] of slots) yield [key, slot.entry] as const;
    },
    inNamespace: (namespace) => lookUp(namespaceIndex, namespace),
    by: lookUp,
    get size() {
      return slots.size;
    },
  };
}
