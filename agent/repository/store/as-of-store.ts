/**
 * A store as it was at a time, out of the versions that another keeps: what was removed or overwritten since is there. Read only. What is
 * named by its digest is found by its bytes (choose-version.ts), so an attacker's version never takes the place of the right one.
 */
import { createHash } from 'node:crypto';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { chooseVersion, wasThere } from './choose-version.ts';
import { type ByteRange, listByPages, type ObjectStore, type StoredObject } from './object-store.ts';
import type { ObjectVersion, StoreVersions, VersionedName } from './object-versions.ts';
import { failMissing, failReadOnly, versionsMissing } from './store-error.ts';

/** Names whose version is remembered: a restore reads of each pack many times. */
const rememberedNames = 50_000;
const proofsAtOnce = 4;

/** @throws `VersionsMissing` when the kind of store keeps none; when only the bucket doesn't, the first call throws it */
export function asOfStore(store: ObjectStore, at: Date): ObjectStore {
  const { versions } = store;
  const description = `${store.description} as of ${at.toISOString()}`;
  if (versions === undefined) throw versionsMissing(store.description);
  const checked = checkedOnce(versions, store.description);
  const resolve = resolver(versions, at);
  const get = async (name: string, range?: ByteRange, signal?: AbortSignal): Promise<Buffer> => {
    await checked(signal);
    const version = (await resolve(name, signal)) ?? failMissing(name);
    return versions.get(name, version.id, range, signal);
  };
  const page: ObjectStore['page'] = async (prefix, from, signal) => {
    await checked(signal);
    const { names, next } = await versions.page(prefix, from, signal);
    const there = names.filter((one) => wasThere(one.versions, at));
    const describe = async (one: VersionedName): Promise<readonly StoredObject[]> => {
      const version = await resolve(one.name, signal, one.versions);
      return version === undefined
        ? []
        : [{ name: one.name, sizeBytes: version.sizeBytes, modifiedAt: version.madeAt }];
    };
    return { objects: (await mapLimit(there, proofsAtOnce, describe, signal)).flat(), next };
  };
  const refuse = async () => failReadOnly(description);
  return {
    description,
    get,
    async *read(name, range, signal) {
      yield await get(name, range, signal);
    },
    async sizeOf(name, signal) {
      await checked(signal);
      return (await resolve(name, signal))?.sizeBytes;
    },
    list: (prefix, signal) => listByPages(page, prefix, signal),
    page,
    ...{ put: refuse, remove: refuse, removeMany: refuse, removeLeftovers: refuse },
  };
}

/** Asks until it was answered once. */
function checkedOnce(versions: StoreVersions, place: string) {
  let isChecked = false;
  return async (signal: AbortSignal | undefined): Promise<void> => {
    if (isChecked) return;
    if ((await versions.areKept(signal)) === 'No') throw versionsMissing(place);
    isChecked = true;
  };
}

function resolver(versions: StoreVersions, at: Date) {
  const remembered = new Map<string, ObjectVersion>();
  const remember = (name: string, version: ObjectVersion): ObjectVersion => {
    const [oldest] = remembered.keys();
    if (remembered.size >= rememberedNames && oldest !== undefined) remembered.delete(oldest);
    remembered.set(name, version);
    return version;
  };
  /** @param found the name's versions, when they are known */
  return async (
    name: string,
    signal: AbortSignal | undefined,
    found?: readonly ObjectVersion[],
  ): Promise<ObjectVersion | undefined> => {
    const known = remembered.get(name);
    if (known !== undefined) return known;
    const choice = chooseVersion(name, found ?? (await versions.of(name, signal)), at);
    switch (choice.do) {
      case 'Take':
        return remember(name, choice.version);
      case 'Prove': {
        const version = (await findRight(versions, name, choice.candidates, signal)) ?? choice.candidates[0];
        return version && remember(name, version);
      }
      case 'Nothing':
        return undefined;
      default:
        return choice satisfies never;
    }
  };
}

/** The first of a name's versions whose bytes are what it says: one whole object is read at a time. */
export async function findRight(
  versions: Pick<StoreVersions, 'get'>,
  name: string,
  candidates: readonly ObjectVersion[],
  signal?: AbortSignal,
): Promise<ObjectVersion | undefined> {
  const id = name.slice(name.lastIndexOf('/') + 1);
  for (const version of candidates) {
    const bytes = await versions.get(name, version.id, undefined, signal);
    if (createHash('sha256').update(bytes).digest('hex') === id) return version;
  }
  return undefined;
}
