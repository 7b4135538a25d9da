/**
 * Carries a repair out, alone in the repository. Only adds what it has proven, and takes nothing away but names of what can't be read: no
 * pack and no restore point is ever removed. Lost blobs come back when a backup stores them again. Repeatable after any interruption.
 */
import { createPacker } from '../backup/packer.ts';
import type { PackToIndex } from '../format/index-file.ts';
import { type BlobType, blobTypes, type PackedBlob } from '../format/pack.ts';
import { ivBytes } from '../format/seal.ts';
import { keepLedger } from '../ledger/keep-ledger.ts';
import { type LockContext, takeLock } from '../locks/repository-lock.ts';
import { withReserve } from '../locks/reserve.ts';
import { removeFromIndex } from '../prune/rewrite-index.ts';
import { packName, type RandomBytes, type Repository } from '../repository.ts';
import { isMissing } from '../verify/read-document.ts';
import { readIndexObjects } from '../verify/read-index.ts';
import { readPack } from '../verify/read-packs.ts';
import { type VerifyDepth, verify } from '../verify/verify.ts';
import { planRepair, type RepairPlan } from './plan-repair.ts';

export interface RepairResult {
  readonly plan: RepairPlan;
  /** Packs that are named by an index again. */
  readonly indexed: readonly string[];
  readonly salvagedBlobs: number;
  /** Packs that no index names and that can't be read whole: left as they are. */
  readonly unreadable: readonly string[];
}

/**
 * Looks at the repository, plans and repairs under one lock.
 * @throws `RepositoryLocked` while anybody works
 */
export async function repair(context: LockContext, depth: VerifyDepth): Promise<RepairResult> {
  const { repository, randomBytes, signal } = context;
  await using lock = await takeLock(context, 'alone');
  const plan = planRepair(await verify({ repository, depth, signal }));
  const found: PackToIndex[] = [];
  const unreadable: string[] = [];
  for (const pack of plan.indexAgain) {
    const { finding, goodBlobs } = await readPack(repository, pack, undefined, signal);
    if (finding === undefined) found.push({ id: pack, blobs: goodBlobs });
    else unreadable.push(pack);
  }
  const salvaged = await salvagePacks(repository, new Set(plan.salvage), randomBytes, signal);
  const added = [...found, ...salvaged];
  if (added.length > 0) await withReserve(repository.store, () => repository.putIndex(added, signal));
  const mayGoOn = async () => {
    if (!(await lock.isHeld())) await lock.renew();
  };
  for (const name of plan.setAside) await setAside(repository, name);
  await removeFromIndex(repository, new Set(plan.forgetPacks), mayGoOn, signal);
  if (plan.ledger === 'MadeAnew') await keepLedger(context, { whenDamaged: 'MadeAnew' });
  const salvagedBlobs = salvaged.reduce((sum, { blobs }) => sum + blobs.length, 0);
  return { plan, indexed: found.map(({ id }) => id), salvagedBlobs, unreadable };
}

/** New packs with every blob of damaged ones that is still what its id says. */
async function salvagePacks(
  repository: Repository,
  packs: ReadonlySet<string>,
  randomBytes: RandomBytes,
  signal: AbortSignal | undefined,
): Promise<readonly PackToIndex[]> {
  const written: PackToIndex[] = [];
  const done = new Set<string>();
  if (packs.size === 0) return written;
  for await (const { packs: named } of readIndexObjects(repository, { signal, onDamage: () => undefined }))
    for (const { id, blobs } of named) {
      if (!packs.has(id) || done.has(id)) continue;
      done.add(id);
      const { goodBlobs } = await readPack(repository, id, blobs, signal);
      for (const type of blobTypes)
        written.push(...(await copyBlobs(repository, id, type, goodBlobs, randomBytes, signal)));
    }
  return written;
}

async function copyBlobs(
  repository: Repository,
  pack: string,
  type: BlobType,
  blobs: readonly PackedBlob[],
  randomBytes: RandomBytes,
  signal: AbortSignal | undefined,
): Promise<readonly PackToIndex[]> {
  const wanted = blobs.filter((blob) => blob.type === type);
  if (wanted.length === 0) return [];
  const takeBuffer = (bytes: number) => new ArrayBuffer(bytes);
  const packer = createPacker({ type, key: repository.key, newIv: () => randomBytes(ivBytes), takeBuffer });
  for (const { id, offset, length, uncompressedLength } of wanted) {
    const sealed = await repository.store.get(packName(pack), { offset, length }, signal);
    packer.add(id, { sealed, uncompressedLength });
  }
  const made = packer.takeRest();
  return made === undefined ? [] : [{ id: await repository.putPack(made.bytes, signal), blobs: made.blobs }];
}

/** Stock restic refuses to work beside an index that it can't read. Its bytes stay below `stork/`. */
async function setAside({ store }: Repository, name: string): Promise<void> {
  try {
    const bytes = await store.get(name);
    await store.put(`stork/set-aside/${name.replaceAll('/', '-')}.damaged`, bytes);
    await store.remove(name);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
