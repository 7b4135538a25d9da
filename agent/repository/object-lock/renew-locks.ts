/**
 * Sets the locks of everything that restore points need anew before they end. A backup uses packs that are there already, and their locks
 * began earlier than its own: only this keeps a restore point whole for as long as its newest object is locked.
 *
 * What is needed: every object worth a lock (store/locked-names.ts), and packs that an index names although somebody removed them. That
 * needs no look at trees, so that it works on a damaged repository too; and it takes nobody's word for what is garbage, a mark's neither:
 * whoever can write marks could let locks end. What nothing needs may be kept a little longer for that, until prune deletes it.
 * Repeatable any time.
 */
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { packName, type Repository } from '../repository.ts';
import { findRight } from '../store/as-of-store.ts';
import { isDigestName } from '../store/choose-version.ts';
import { isWorthLocking } from '../store/locked-names.ts';
import { listVersions, type ObjectVersion, type StoreVersions, type VersionedName } from '../store/object-versions.ts';
import { StoreError, versionsMissing } from '../store/store-error.ts';
import { isMissing } from '../verify/read-document.ts';
import { againWhenReplaced, readIndexObjects } from '../verify/read-index.ts';
import { decideRenewal, type RenewalTerms } from './decide-renewal.ts';

export interface RenewOptions extends RenewalTerms {
  readonly effects: 'Done' | 'OnlyPlanned';
  readonly signal?: AbortSignal | undefined;
}

export interface RenewResult {
  /** Objects that are needed. */
  readonly needed: number;
  readonly extended: number;
  /** Had no lock: other tools wrote them, or the option was not given. */
  readonly locked: number;
  /** Afterwards everything that is needed is locked until then at least; undefined when that isn't so. */
  readonly lockedUntil: Date | undefined;
  /** Of `needed`, those whose name stands for wrong bytes now: the right version was renewed. Of each list at most `namesTold`. */
  readonly overwritten: readonly string[];
  /** Packs that an index names and somebody removed: their right version was renewed. */
  readonly removed: readonly string[];
  /** Not one version has the right bytes, or there is none. */
  readonly damaged: readonly string[];
  /** What the store refused, and why. */
  readonly refused: readonly { readonly name: string; readonly message: string }[];
}

const requestsAtOnce = 16;
const namesTold = 100;
/** So many say that the next ones will be refused too. */
const refusalsAtMost = 20;

/** @throws `VersionsMissing`; `StoreRefused` when nearly everything is refused */
export async function renewLocks(
  repository: Pick<Repository, 'store' | 'key'>,
  options: RenewOptions,
): Promise<RenewResult> {
  const { store } = repository;
  const { signal } = options;
  const versions = await requireVersions(store, signal);
  const tally = newTally();
  const { named, unreadable } = await readNamedPacks(repository, signal);
  const isNeeded = ({ name, versions: [latest] }: VersionedName) =>
    isWorthLocking(name) && (latest?.kind === 'Object' || named.has(name));
  for await (const names of listVersions(versions, '', signal)) {
    await mapLimit(names.filter(isNeeded), requestsAtOnce, (one) => renewOne(versions, one, options, tally), signal);
    for (const { name } of names) named.delete(name);
  }
  // What was overwritten is told as that.
  const rotten = unreadable.filter((name) => !tally.overwritten.includes(name) && !tally.damaged.includes(name));
  tally.damaged.push(...named, ...rotten);
  const { needed, extended, locked, earliest, overwritten, removed, damaged, refused } = tally;
  const isComplete = damaged.length + refused.length === 0;
  return {
    ...{ needed, extended, locked, refused },
    lockedUntil: isComplete ? earliest : undefined,
    overwritten: overwritten.slice(0, namesTold),
    removed: removed.slice(0, namesTold),
    damaged: damaged.slice(0, namesTold),
  };
}

/** @throws `VersionsMissing` */
export async function requireVersions(store: Repository['store'], signal?: AbortSignal): Promise<StoreVersions> {
  const { versions } = store;
  if (versions === undefined || (await versions.areKept(signal)) === 'No') throw versionsMissing(store.description);
  return versions;
}

/** The packs by their objects' names, and the indexes that can't be read. */
async function readNamedPacks(repository: Pick<Repository, 'store' | 'key'>, signal: AbortSignal | undefined) {
  return await againWhenReplaced(async () => {
    const [named, unreadable] = [new Set<string>(), [] as string[]];
    const onDamage = (name: string) => void unreadable.push(name);
    for await (const { packs } of readIndexObjects(repository, { signal, onDamage }))
      for (const { id } of packs) named.add(packName(id));
    return { named, unreadable };
  });
}

const newTally = () => ({
  ...{ needed: 0, extended: 0, locked: 0 },
  earliest: undefined as Date | undefined,
  overwritten: [] as string[],
  removed: [] as string[],
  damaged: [] as string[],
  refused: [] as { name: string; message: string }[],
});
type Tally = ReturnType<typeof newTally>;

async function renewOne(versions: StoreVersions, one: VersionedName, options: RenewOptions, tally: Tally) {
  const { name } = one;
  const { effects, signal } = options;
  tally.needed++;
  try {
    const version = await rightVersion(versions, one, tally, signal);
    if (version === undefined) return;
    const renewal = decideRenewal(await versions.lockOf(name, version.id, signal), options);
    if (renewal.do !== 'Keep' && effects === 'Done') await versions.lock(name, version.id, renewal.lock, signal);
    if (renewal.do === 'Extend') tally.extended++;
    if (renewal.do === 'Lock') tally.locked++;
    if (tally.earliest === undefined || renewal.lock.until < tally.earliest) tally.earliest = renewal.lock.until;
  } catch (error) {
    // Collected and purged since it was listed.
    if (isMissing(error)) return;
    if (!(error instanceof StoreError) || error.code !== 'StoreRefused') throw error;
    tally.refused.push({ name, message: error.message });
    if (tally.refused.length >= refusalsAtMost) throw error;
  }
}

/** What the name stands for now, unless somebody overwrote it. */
async function rightVersion(
  versions: StoreVersions,
  { name, versions: all }: VersionedName,
  tally: Tally,
  signal: AbortSignal | undefined,
): Promise<ObjectVersion | undefined> {
  const objects = all.filter(({ kind }) => kind === 'Object');
  const isAlone = all.length === 1;
  // The config has been opened by now, so what it is now is right.
  const right = isAlone || !isDigestName(name) ? objects[0] : await findRight(versions, name, objects, signal);
  if (right === undefined) tally.damaged.push(name);
  else if (all[0]?.kind === 'Deletion') tally.removed.push(name);
  else if (right !== objects[0]) tally.overwritten.push(name);
  return right;
}
