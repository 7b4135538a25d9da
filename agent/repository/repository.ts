/**
 * A repository in restic's format version 2: making one, opening one with a password, and its objects by name. Writes follow restic's
 * order (packs, then their index, then the snapshot), so that whatever is visible is complete.
 */

import { type BlobLocation, type BlobLocations, blobLocations } from './blob-locations.ts';
import { encodeConfig, newConfig, parseConfig, type RepositoryConfig } from './format/config.ts';
import { encodeIndex, type IndexedPack } from './format/index-file.ts';
import { encodeKeyFile, type KeySlotOwner, newMasterKey, openKeyFile } from './format/key-file.ts';
import { idOf } from './format/object-id.ts';
import { unsealBlob } from './format/pack.ts';
import { ivBytes, type RepositoryKey, seal, unseal } from './format/seal.ts';
import { encodeSnapshot, type Snapshot } from './format/snapshot.ts';
import { sealDocument } from './format/unpacked.ts';
import { failDamaged, failRepository } from './repository-error.ts';
import type { ObjectStore } from './store/object-store.ts';
import { againWhenReplaced, readIndexObjects } from './verify/read-index.ts';
import { readSnapshots } from './verify/read-roots.ts';

export type RandomBytes = (sizeBytes: number) => Uint8Array;

export interface StoredSnapshot extends Snapshot {
  readonly id: string;
}

export interface Repository {
  readonly store: ObjectStore;
  readonly key: RepositoryKey;
  readonly config: RepositoryConfig;
  /**
   * Reads every index object.
   * @param except packs that count as if they were not there: a writer's marked ones
   */
  loadIndex(signal?: AbortSignal, except?: ReadonlySet<string>): Promise<BlobLocations>;
  /** Throws `RepositoryDamaged`. */
  readBlob(blob: BlobLocation, signal?: AbortSignal): Promise<Buffer>;
  putPack(bytes: Uint8Array, signal?: AbortSignal): Promise<string>;
  putIndex(packs: readonly IndexedPack[], signal?: AbortSignal): Promise<string>;
  putSnapshot(snapshot: Snapshot, signal?: AbortSignal): Promise<string>;
  /** Oldest first. */
  snapshots(signal?: AbortSignal): Promise<readonly StoredSnapshot[]>;
}

export const packName = (id: string): string => `data/${id.slice(0, 2)}/${id}`;

/** @throws `RepositoryExists`; nothing is changed then */
export async function initRepository(
  store: ObjectStore,
  password: string,
  owner: KeySlotOwner,
  randomBytes: RandomBytes,
): Promise<Repository> {
  if ((await store.sizeOf('config')) !== undefined)
    failRepository(
      'RepositoryExists',
      `There is a repository in ${store.description} already`,
      'config',
      'Choose another place.',
    );
  const key = newMasterKey(randomBytes);
  const config = newConfig(randomBytes);
  const slot = Buffer.from(encodeKeyFile(key, password, owner, randomBytes));
  await store.put(`keys/${idOf(slot)}`, slot);
  const sealed = seal(key, Buffer.from(encodeConfig(config)), randomBytes(ivBytes));
  await store.put('config', sealed);
  // A store keeps the object that is there already: of two that begin at the same time one has lost.
  if (!sealed.equals(await store.get('config'))) {
    await store.remove(`keys/${idOf(slot)}`);
    failRepository('RepositoryExists', `Somebody else just made a repository in ${store.description}`, 'config');
  }
  return repositoryOf(store, key, config, randomBytes);
}

/** @throws `RepositoryMissing`, `WrongPassword`, `RepositoryVersion`, `RepositoryDamaged` */
export async function openRepository(
  store: ObjectStore,
  password: string,
  randomBytes: RandomBytes,
): Promise<Repository> {
  if ((await store.sizeOf('config')) === undefined)
    failRepository(
      'RepositoryMissing',
      `There is no repository in ${store.description}`,
      'config',
      'Make one with `stork-agent repo init`.',
    );
  return openWithKey(store, await findKey(store, password), randomBytes);
}

/** The same with the master key itself. */
export async function openWithKey(
  store: ObjectStore,
  key: RepositoryKey,
  randomBytes: RandomBytes,
): Promise<Repository> {
  return repositoryOf(store, key, parseConfig(unseal(key, await store.get('config'), 'config')), randomBytes);
}

async function findKey(store: ObjectStore, password: string): Promise<RepositoryKey> {
  let slots = 0;
  // Ours, then those that stock restic opens too.
  for (const prefix of ['stork/keys/', 'keys/'])
    for await (const { name } of store.list(prefix)) {
      slots++;
      const key = openKeyFile(await store.get(name), password, name);
      if (key !== undefined) return key;
    }
  return slots === 0
    ? failDamaged('The repository has no key slot', 'keys/')
    : failRepository(
        'WrongPassword',
        `The password opens none of the repository's ${slots} key slots`,
        store.description,
      );
}

function repositoryOf(
  store: ObjectStore,
  key: RepositoryKey,
  config: RepositoryConfig,
  randomBytes: RandomBytes,
): Repository {
  const putDocument = async (folder: 'index' | 'snapshots', json: string, signal?: AbortSignal) => {
    const sealed = sealDocument(key, json, randomBytes(ivBytes));
    const id = idOf(sealed);
    await store.put(`${folder}/${id}`, sealed, signal);
    return id;
  };
  return {
    store,
    key,
    config,
    loadIndex: (signal, except) =>
      againWhenReplaced(async () => {
        const locations = blobLocations();
        for await (const { packs } of readIndexObjects({ store, key }, { signal }))
          for (const { id, blobs } of packs) if (except?.has(id) !== true) locations.add(id, blobs);
        return locations;
      }),
    async readBlob(blob, signal) {
      const { pack, offset, length } = blob;
      return unsealBlob(key, await store.get(packName(pack), { offset, length }, signal), blob, pack);
    },
    async putPack(bytes, signal) {
      const id = idOf(bytes);
      await store.put(packName(id), bytes, signal);
      return id;
    },
    putIndex: (packs, signal) => putDocument('index', encodeIndex(packs), signal),
    putSnapshot: (snapshot, signal) => putDocument('snapshots', encodeSnapshot(snapshot), signal),
    snapshots: (signal) => readSnapshots({ store, key }, { signal }),
  };
}
