/**
 * A repository in restic's format version 2: making one, opening one with a password, and its objects by name. Writes follow restic's
 * order (packs, then their index, then the snapshot), so that whatever is visible is complete.
 */

import { StorkError } from '../../kube/errors.ts';
import { releaseMemory } from '../mover/release-memory.ts';
import { type BlobLocation, type BlobLocations, blobLocations } from './blob-locations.ts';
import { encodeConfig, newConfig, parseConfig, type RepositoryConfig } from './format/config.ts';
import { encodeIndex, type PackToIndex } from './format/index-file.ts';
import { encodeKeyFile, type KeySlotOwner, newMasterKey } from './format/key-file.ts';
import { idOf } from './format/object-id.ts';
import { unsealBlob } from './format/pack.ts';
import type { IndexVisitor } from './format/scan-index.ts';
import { ivBytes, type RepositoryKey, seal, unseal } from './format/seal.ts';
import { encodeSnapshot, type Snapshot } from './format/snapshot.ts';
import { sealDocument } from './format/unpacked.ts';
import { byPassphrase, describeUnlock, openSlot, type Unlock } from './keys/unlock.ts';
import { type Fact, factOf, isRecorded } from './ledger/ledger-entry.ts';
import { type LedgerWriter, recordAdded } from './ledger/write-ledger.ts';
import { failDamaged, failRepository } from './repository-error.ts';
import type { ObjectStore, StoredObject } from './store/object-store.ts';
import { refuseOversized } from './verify/read-document.ts';
import { againWhenReplaced, visitIndexes } from './verify/read-index.ts';
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
   * @param onDamage is told of objects that can't be read; without it the first of them is thrown
   */
  loadIndex(signal?: AbortSignal, except?: ReadonlySet<string>, onDamage?: OnDamage): Promise<BlobLocations>;
  /** Throws `RepositoryDamaged`. */
  readBlob(blob: BlobLocation, signal?: AbortSignal): Promise<Buffer>;
  putPack(bytes: Uint8Array, signal?: AbortSignal): Promise<string>;
  putIndex(packs: readonly PackToIndex[], signal?: AbortSignal): Promise<string>;
  /** @param json what is written of it, when that is more than we know of */
  putSnapshot(snapshot: Snapshot, signal?: AbortSignal, json?: string): Promise<string>;
  /** Oldest first. @param onDamage as for `loadIndex` */
  snapshots(signal?: AbortSignal, onDamage?: OnDamage): Promise<readonly StoredSnapshot[]>;
}

export type OnDamage = (name: string, error: StorkError) => void;

export const packName = (id: string): string => `data/${id.slice(0, 2)}/${id}`;

/**
 * Makes a repository. May be repeated after it was cut off: the key slot that is there already is gone on with when the password opens
 * it. Of two at once one wins.
 * @throws `RepositoryExists`, `RepositoryUnfinished`; nothing is changed then
 */
export async function initRepository(
  store: ObjectStore,
  password: string,
  owner: KeySlotOwner,
  randomBytes: RandomBytes,
  signal?: AbortSignal,
): Promise<Repository> {
  if ((await store.sizeOf('config', signal)) !== undefined) failExists(store, 'There is a repository');
  const begun = await findBegun({ store, signal }, password);
  const key = begun ?? newMasterKey(randomBytes);
  const ownSlot = begun === undefined ? await putKeySlot() : undefined;
  const config = newConfig(randomBytes);
  const sealed = seal(key, Buffer.from(encodeConfig(config)), randomBytes(ivBytes));
  const kept = await putOrGet(store, 'config', sealed, signal);
  if (!sealed.equals(kept)) {
    // A slot of another key would keep stock restic from opening the winner's repository; the winner may go on with ours, though.
    if (ownSlot !== undefined && !opens(key, kept)) await store.remove(ownSlot);
    failExists(store, 'Somebody else just made a repository');
  }
  await recordFirst({ repository: { store, key }, randomBytes }, owner);
  return repositoryOf(store, key, config, randomBytes);

  async function putKeySlot(): Promise<string> {
    const slot = Buffer.from(encodeKeyFile(key, password, owner, randomBytes));
    const name = `keys/${idOf(slot)}`;
    await store.put(name, slot, signal);
    return name;
  }
}

/** The key slot that is there now, and that of another init that was cut off with the same password. */
async function recordFirst(writer: LedgerWriter, { created, username, hostname }: KeySlotOwner): Promise<void> {
  const facts: Fact[] = [];
  for await (const { name } of writer.repository.store.list('keys/'))
    if (isRecorded(name)) facts.push(factOf(name, created, `the first, by ${username}@${hostname}`));
  await recordAdded(writer, facts);
}

function failExists({ description }: ObjectStore, what: string): never {
  failRepository('RepositoryExists', `${what} in ${description} already`, 'config', 'Choose another place.');
}

/** The bytes that lie there afterwards: ours, or those of whoever came first. */
async function putOrGet(store: ObjectStore, name: string, bytes: Buffer, signal: AbortSignal | undefined) {
  try {
    await store.put(name, bytes, signal);
    return bytes;
  } catch (error) {
    if (error instanceof StorkError && error.code === 'ObjectExists') return await store.get(name, undefined, signal);
    throw error;
  }
}

/** The key of an init that was cut off before its config. */
async function findBegun(at: At, password: string): Promise<RepositoryKey | undefined> {
  let slots = 0;
  for await (const key of openSlots(at, byPassphrase(password), listSlots(at, ['keys/']))) {
    slots++;
    if (key !== undefined) return key;
  }
  if (slots === 0) return undefined;
  return failRepository(
    'RepositoryUnfinished',
    'There is a key slot that the password does not open, and no config: an init with another password was cut off, or the config was lost',
    'keys/',
    'Repeat it with that password, or choose another place.',
  );
}

/** @throws `RepositoryMissing`, `WrongPassword`, `RepositoryVersion`, `RepositoryDamaged` */
export async function openRepository(
  store: ObjectStore,
  unlock: Unlock,
  randomBytes: RandomBytes,
  signal?: AbortSignal,
): Promise<Repository> {
  const opened = new AbortController();
  // None of them when it is open, or can't be.
  using _listing = { [Symbol.dispose]: () => opened.abort() };
  const listed = listSlots(
    { store, signal: AbortSignal.any([opened.signal, ...(signal === undefined ? [] : [signal])]) },
    allSlots,
  );
  const config = await store.get('config', undefined, signal).catch((error: unknown) => {
    if (!(error instanceof StorkError) || error.code !== 'ObjectMissing') throw error;
    return failRepository(
      'RepositoryMissing',
      `There is no repository in ${store.description}`,
      'config',
      'Make one with `stork-agent repo init`.',
    );
  });
  const key = await findKey({ store, signal }, { unlock, config, listed });
  return repositoryOf(store, key, parseConfig(unseal(key, config, 'config')), randomBytes);
}

/** The same with the master key itself. */
export async function openWithKey(
  store: ObjectStore,
  key: RepositoryKey,
  randomBytes: RandomBytes,
): Promise<Repository> {
  return repositoryOf(store, key, parseConfig(unseal(key, await store.get('config'), 'config')), randomBytes);
}

interface At {
  readonly store: ObjectStore;
  readonly signal: AbortSignal | undefined;
}

type ListedSlots = readonly Promise<readonly StoredObject[]>[];

interface KeySearch {
  readonly unlock: Unlock;
  readonly config: Buffer;
  readonly listed: ListedSlots;
}

/** A slot that is damaged, or is of another key, does not keep the next from opening. */
async function findKey(at: At, { unlock, config, listed }: KeySearch): Promise<RepositoryKey> {
  const seen = { slots: 0, ofAnotherKey: 0 };
  for await (const key of openSlots(at, unlock, listed)) {
    seen.slots++;
    if (key === undefined) continue;
    if (opens(key, config)) return key;
    seen.ofAnotherKey++;
  }
  if (seen.slots === 0) failDamaged('The repository has no key slot', 'keys/');
  if (seen.ofAnotherKey > 0)
    failDamaged(`The key that the ${describeUnlock[unlock.by]} opens does not open the config`, 'config');
  return failRepository(
    'WrongPassword',
    `The ${describeUnlock[unlock.by]} opens none of the repository's ${seen.slots} key slots`,
    at.store.description,
    unlock.by === 'Passphrase' && unlock.passphrase === ''
      ? 'It is empty: the first line of its file is what counts.'
      : "Is it another repository's, or was its key slot removed? Of a file the first line counts.",
  );
}

/** Ours, then those that stock restic opens too. */
const allSlots = ['stork/keys/', 'keys/'];

/** Asks for all at once; what fails is told when its turn comes. */
function listSlots({ store, signal }: At, prefixes: readonly string[]): ListedSlots {
  const listed = prefixes.map((prefix) => Array.fromAsync(store.list(prefix, signal)));
  for (const objects of listed) objects.catch(() => undefined);
  return listed;
}

/** For each slot its key, or undefined when it is not for who asks. Slots that can't be read are told after all others. */
async function* openSlots({ store, signal }: At, unlock: Unlock, listed: ListedSlots) {
  let damage: unknown;
  for (const objects of listed)
    for (const object of await objects) {
      const { name } = object;
      try {
        refuseOversized(object);
      } catch (error) {
        damage ??= error;
        continue;
      }
      const slot = await store.get(name, undefined, signal);
      try {
        yield await openSlot(slot, unlock, name, signal);
      } catch (error) {
        damage ??= error;
      }
    }
  if (damage !== undefined) throw damage;
}

function opens(key: RepositoryKey, config: Buffer): boolean {
  try {
    unseal(key, config, 'config');
    return true;
  } catch {
    return false;
  }
}

/** Keeps all places but those in `except`. */
function visitorOf(locations: BlobLocations, except: ReadonlySet<string> | undefined): IndexVisitor {
  let pack = '';
  return {
    pack(id) {
      pack = id;
      return except?.has(id) !== true;
    },
    blob: (id, blob) => locations.addOne(pack, id, blob),
  };
}

function repositoryOf(
  store: ObjectStore,
  key: RepositoryKey,
  config: RepositoryConfig,
  randomBytes: RandomBytes,
): Repository {
  const putDocument = async (folder: 'index' | 'snapshots', json: string | Uint8Array, signal?: AbortSignal) => {
    const sealed = sealDocument(key, json, randomBytes(ivBytes));
    if (typeof json !== 'string') releaseMemory(json);
    const id = idOf(sealed);
    await store.put(`${folder}/${id}`, sealed, signal);
    return id;
  };
  return {
    store,
    key,
    config,
    loadIndex: (signal, except, onDamage) =>
      againWhenReplaced(async () => {
        const locations = blobLocations();
        await visitIndexes({ store, key }, { signal, onDamage }, visitorOf(locations, except));
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
    putSnapshot: (snapshot, signal, json = encodeSnapshot(snapshot)) => putDocument('snapshots', json, signal),
    snapshots: (signal, onDamage) => readSnapshots({ store, key }, { signal, onDamage }),
  };
}
