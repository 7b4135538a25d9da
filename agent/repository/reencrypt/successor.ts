/**
 * Two objects that say how far an encryption anew is. `stork/reencryption` in the new repository, from before the first copy: whose copy it
 * is to become. `stork/successor` in the old one, written last: which one has taken its place.
 */
import { StorkError } from '../../../kube/errors.ts';
import { assertId } from '../format/object-id.ts';
import { readJson } from '../format/read-json.ts';
import { ivBytes } from '../format/seal.ts';
import { sealDocument } from '../format/unpacked.ts';
import type { RandomBytes, Repository } from '../repository.ts';
import { failDamaged } from '../repository-error.ts';
import { readSealed } from '../verify/read-document.ts';

const originName = 'stork/reencryption';
export const successorName = 'stork/successor';

export interface Successor {
  /** As a person named it: to be told, never to be followed; who has the old key can write anything here. */
  readonly place: string;
  /** The new repository's. */
  readonly id: string;
  readonly time: Date;
}

type Sealed = Pick<Repository, 'store' | 'key'>;

/** @throws `RepositoryDamaged` */
export async function readSuccessor(repository: Sealed, signal?: AbortSignal): Promise<Successor | undefined> {
  if ((await repository.store.sizeOf(successorName, signal)) === undefined) return undefined;
  return parseSuccessor(await readSealed(repository, successorName, signal), successorName);
}

/** Throws `RepositoryDamaged`. */
export function parseSuccessor(json: Uint8Array, about: string): Successor {
  const read = readJson(json, about);
  const time = new Date(read.text('time', 64));
  if (Number.isNaN(time.getTime())) failDamaged('Since when it was replaced is no time', about);
  return { place: read.text('place', 4096), id: assertId(read.text('id', 64), about), time };
}

export async function putSuccessor(repository: Sealed, { place, id, time }: Successor, randomBytes: RandomBytes) {
  const json = JSON.stringify({ place, id, time: time.toISOString() });
  await repository.store.put(successorName, sealDocument(repository.key, json, randomBytes(ivBytes)));
}

/** Whoever goes on writing into the old repository believes to have backups, encrypted with a key that has leaked. */
export async function refuseReplaced(repository: Sealed, signal?: AbortSignal): Promise<void> {
  const successor = await readSuccessor(repository, signal);
  if (successor === undefined) return;
  throw new StorkError({
    code: 'RepositoryReplaced',
    message: `This repository was encrypted anew; ${successor.place} has taken its place (${successor.id.slice(0, 8)}, since ${successor.time.toISOString()})`,
    about: successorName,
    hint: 'Back up there, with its password. Restoring from here still works, until it is removed.',
  });
}

/**
 * Makes an empty repository the copy of another one, or finds that it is to become one already.
 * @throws `TargetNotEmpty`; nothing is changed then
 */
export async function claimTarget(
  target: Repository,
  sourceId: string,
  randomBytes: RandomBytes,
  signal?: AbortSignal,
): Promise<void> {
  if ((await target.store.sizeOf(originName, signal)) !== undefined) {
    const claimed = readJson(await readSealed(target, originName, signal), originName).text('source', 64);
    if (claimed !== sourceId) failTaken(target, 'it is to become the copy of another repository');
    return;
  }
  for (const folder of ['data/', 'index/', 'snapshots/', 'stork/manifests/'])
    for await (const { name } of target.store.list(folder, signal)) failTaken(target, `it has ${name}`);
  const sealed = sealDocument(target.key, JSON.stringify({ source: sourceId }), randomBytes(ivBytes));
  await target.store.put(originName, sealed, signal);
}

/**
 * A repository among the objects of another would go with them.
 * @throws `RepositoryNested`
 */
export async function refuseNested({ store }: Repository, signal?: AbortSignal): Promise<void> {
  for await (const { name } of store.list('', signal))
    if (name.endsWith('/config'))
      throw new StorkError({
        code: 'RepositoryNested',
        message: `Another repository lies within this one: ${name}`,
        about: store.description,
        hint: 'Give each repository a place of its own, neither within the other.',
      });
}

function failTaken({ store }: Repository, what: string): never {
  throw new StorkError({
    code: 'TargetNotEmpty',
    message: `The new repository is not empty: ${what}`,
    about: store.description,
    hint: 'Name a place where nothing is.',
  });
}
