/** What the store has and what the indexes say it should have, compared: the first half of verify, and what repair begins with. */
import { type BlobLocations, blobLocations } from '../blob-locations.ts';
import { isId } from '../format/object-id.ts';
import { packName, type Repository } from '../repository.ts';
import type { Finding } from './finding.ts';
import { isDamage, readNamed } from './read-document.ts';
import { packBytesOf, readIndexObjects } from './read-index.ts';

export interface Inventory {
  readonly locations: BlobLocations;
  /** Size of each pack in the store. */
  readonly stored: ReadonlyMap<string, number>;
  /** What each pack that an index names should measure; undefined when indexes disagree. */
  readonly indexed: ReadonlyMap<string, number | undefined>;
  /** Packs whose blobs are not to be had as they are: missing or of the wrong size. */
  readonly badPacks: ReadonlySet<string>;
  readonly damage: readonly Finding[];
  readonly notes: readonly Finding[];
  readonly indexes: number;
}

/** @throws `ObjectMissing` when an index was replaced meanwhile: ask again */
export async function readInventory(repository: Repository, signal?: AbortSignal): Promise<Inventory> {
  const damage: Finding[] = [];
  const notes: Finding[] = [];
  const locations = blobLocations();
  const indexed = new Map<string, number | undefined>();
  let indexes = 0;
  const objects = readIndexObjects(repository, {
    signal,
    onDamage: (object, { message }) => void damage.push({ object, kind: 'altered', message }),
  });
  // Of a blob that lies in two packs the first place counts: packs that are whole come first.
  const stored = await listPacks(repository, signal);
  const later: { readonly id: string; readonly blobs: Parameters<BlobLocations['add']>[1] }[] = [];
  for await (const { packs } of objects) {
    indexes++;
    for (const { id, blobs } of packs) {
      const bytes = packBytesOf(blobs);
      indexed.set(id, indexed.has(id) && indexed.get(id) !== bytes ? undefined : bytes);
      if (stored.get(id) === bytes) locations.add(id, blobs);
      else later.push({ id, blobs });
    }
  }
  for (const { id, blobs } of later) locations.add(id, blobs);
  const badPacks = new Set<string>();
  for (const [id, bytes] of indexed) {
    // Packs that were stored and indexed since the listing are not missing.
    const size = stored.get(id) ?? (await repository.store.sizeOf(packName(id), signal));
    if (size !== undefined) stored.set(id, size);
    const finding = comparePack(id, size, bytes);
    if (finding === undefined) continue;
    badPacks.add(id);
    damage.push(finding);
  }
  for (const [id] of stored)
    if (!indexed.has(id)) notes.push({ object: packName(id), kind: 'unindexed', message: 'No index names this pack' });
  damage.push(...(await checkKeys(repository, signal)));
  return { locations, stored, indexed, badPacks, damage, notes, indexes };
}

function comparePack(id: string, storedBytes: number | undefined, bytes: number | undefined): Finding | undefined {
  const object = packName(id);
  if (storedBytes === undefined)
    return { object, kind: 'missing', message: 'An index names this pack, and it is not there' };
  if (bytes === undefined || bytes === storedBytes) return undefined;
  return { object, kind: 'wrong-size', message: `It has ${storedBytes} bytes; by its index it should have ${bytes}` };
}

export async function listPacks(repository: Repository, signal?: AbortSignal): Promise<Map<string, number>> {
  const packs = new Map<string, number>();
  for await (const { name, sizeBytes } of repository.store.list('data/', signal)) {
    const id = name.slice(name.lastIndexOf('/') + 1);
    if (isId(id) && name === packName(id)) packs.set(id, sizeBytes);
  }
  return packs;
}

/** Key slots can't all be opened with one password, but each is named by its digest. */
async function checkKeys(repository: Repository, signal: AbortSignal | undefined): Promise<Finding[]> {
  const damage: Finding[] = [];
  for (const prefix of ['keys/', 'stork/keys/'])
    for await (const { name } of repository.store.list(prefix, signal)) {
      if (!isId(name.slice(prefix.length))) continue;
      try {
        await readNamed(repository.store, name, signal);
      } catch (error) {
        if (!isDamage(error)) throw error;
        damage.push({ object: name, kind: 'altered', message: 'This key slot is not what its name says' });
      }
    }
  return damage;
}
