/**
 * Changes the destination volume, and nothing else does. Every operation is idempotent, so a journal of them can be replayed from
 * its start after any crash. Names are made at once, contents and metadata by the workers; what must come after what is kept:
 * a directory's times are set when nothing will be made in it any more.
 */
import { linkSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import type { Counts } from './contract.ts';
import type { Entry } from './entry.ts';
import type { FillJob, PutJob, Refused, SettleAction, SettleAnswer, WorkerPool } from './job.ts';
import { errnoOf, fail } from './mover-error.ts';
import { createPulse, createSlots } from './pulse.ts';
import { sumCounts } from './settle.ts';
import type { ByteString } from './syscalls.ts';
import { placeToChange, type WithinVolume, withinVolume } from './within-volume.ts';

export type BundleContent = Omit<FillJob, 'do' | 'root'>;

/** A put job without what is the same for all of a volume. */
export type PutContent = Omit<PutJob, 'do' | 'root' | 'key' | 'check'>;

export interface VolumeWriter {
  /** Removes a name and all below it; nothing when it isn't there. */
  remove(path: ByteString): void;
  makeDirectory(path: ByteString): void;
  /** Writes content; resolves when it is written. */
  put(job: PutContent): Promise<void>;
  /** The same without waiting for it: waits only for a free slot. `flush` waits for all. */
  startPut(job: PutContent): Promise<void>;
  /** Makes plain entries and writes their contents; resolves when they are there, with how many blocks came. */
  fill(bundle: BundleContent): Promise<number>;
  /** Makes symlinks, special and empty files. */
  create(entry: Entry): Promise<void>;
  /** Gives a file its second name; the first exists. */
  link(entry: Entry): Promise<void>;
  /** Sets size and metadata once everything before is done. */
  finish(entry: Entry): Promise<void>;
  /** Everything asked for is done. */
  flush(): Promise<void>;
  /** What the kernel refused, by kind. */
  readonly degraded: Counts;
  /** Of which entries; undefined when they are too many to tell. */
  readonly refused: RefusedEntries | undefined;
  readonly bytesWritten: number;
}

/** By path: as it should be, and what of it is not. */
export type RefusedEntries = ReadonlyMap<ByteString, Refused>;

const actionsPerJob = 256;
/** So that storage has something to do meanwhile: the kernel leaves small files in memory for half a minute, and all of them to the end. */
const syncEveryBytes = 128 * 1024 * 1024;
/** Some megabytes. */
const toldRefusals = 20_000;

/** @param key the run's, for the check */
export function volumeWriter(
  root: ByteString,
  pool: WorkerPool,
  { key, check: checked }: Pick<PutJob, 'key' | 'check'>,
): VolumeWriter {
  const slots = createSlots(pool.workers + 1);
  const failed = createPulse();
  let failure: { readonly error: unknown } | undefined;
  let degraded: Counts = {};
  const refused = new Map<ByteString, Refused>();
  let bytesWritten = 0;
  let unsyncedBytes = 0;
  let creations: SettleAction[] = [];
  let finishes: SettleAction[] = [];

  const check = () => {
    if (failure !== undefined) throw failure.error;
  };
  const start = async (work: () => Promise<void>) => {
    const release = await slots.take();
    if (failure !== undefined) {
      release();
      throw failure.error;
    }
    work()
      .catch((error: unknown) => {
        failure ??= { error };
        failed.beat();
      })
      .finally(release);
  };
  const count = (answer: SettleAnswer) => {
    degraded = sumCounts(degraded, answer.degraded);
    for (const { entry, kinds } of answer.refused) {
      const before = refused.get(entry.path)?.kinds ?? [];
      if (refused.size <= toldRefusals) refused.set(entry.path, { entry, kinds: [...before, ...kinds] });
    }
  };
  const settle = async (actions: readonly SettleAction[]) => count(await pool.run({ do: 'settle', root, actions }));
  const put = async (job: PutContent) => {
    const answer = await pool.run({ ...job, do: 'put', key, check: checked, root });
    count(answer);
    bytesWritten += answer.bytesWritten;
  };
  const fill = async (bundle: BundleContent) => {
    const answer = await pool.run({ ...bundle, do: 'fill', root });
    count(answer);
    bytesWritten += answer.bytesWritten;
    unsyncedBytes += answer.leftToKernelBytes;
    if (unsyncedBytes >= syncEveryBytes) {
      unsyncedBytes = 0;
      await start(async () => void (await pool.run({ do: 'sync', root, kind: 'files' })));
    }
    return answer.blocks;
  };
  const startCreations = async () => {
    if (creations.length === 0) return;
    const actions = creations;
    creations = [];
    await start(() => settle(actions));
  };
  const quiet = async () => {
    await startCreations();
    await slots.idle();
    check();
  };
  const startFinishes = async () => {
    if (finishes.length === 0) return;
    await quiet();
    const actions = finishes;
    finishes = [];
    // Not in the background: the next creation could touch a directory whose times are being set.
    await settle(actions);
  };
  return {
    remove: (path) => removeAll(root, path),
    makeDirectory(path) {
      using volume = withinVolume(root);
      makeDirectory(nameToChange(volume, path));
    },
    put,
    fill,
    startPut: (job) => start(() => put(job)),
    async create(entry) {
      creations.push({ do: 'create', entry });
      if (creations.length >= actionsPerJob) await startCreations();
    },
    async link(entry) {
      await quiet();
      makeLink(root, entry);
    },
    async finish(entry) {
      finishes.push({ do: 'finish', entry });
      if (finishes.length >= actionsPerJob) await startFinishes();
    },
    async flush() {
      await startFinishes();
      await quiet();
    },
    get degraded() {
      return degraded;
    },
    get refused() {
      return refused.size > toldRefusals ? undefined : refused;
    },
    get bytesWritten() {
      return bytesWritten;
    },
  };
}

const nameToChange = (volume: WithinVolume, path: ByteString): Buffer =>
  Buffer.from(placeToChange(volume, path), 'latin1');

function removeAll(root: ByteString, path: ByteString): void {
  using volume = withinVolume(root);
  try {
    rmSync(Buffer.from(volume.at(path), 'latin1'), { recursive: true, force: true });
  } catch (error) {
    // Without its directory the name is gone, too.
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function makeDirectory(name: Buffer): void {
  try {
    mkdirSync(name, 0o700);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST' || !lstatSync(name).isDirectory()) throw error;
  }
}

function makeLink(root: ByteString, entry: Entry): void {
  // Two, as both directories are to be open at once.
  using ofTarget = withinVolume(root);
  using ofName = withinVolume(root);
  const first = linkTarget(ofTarget, entry.target);
  const name = nameToChange(ofName, entry.path);
  const target = lstatSync(first, { bigint: true });
  if (target.isDirectory()) fail('ProtocolError', 'A hard link to a directory');
  const present = lstatSync(name, { bigint: true, throwIfNoEntry: false });
  if (present !== undefined && present.ino === target.ino && present.dev === target.dev) return;
  rmSync(name, { recursive: true, force: true });
  linkSync(first, name);
}

/** A hostile list of entries could lead it through a symlink of its own. */
function linkTarget(volume: WithinVolume, path: ByteString): Buffer {
  try {
    return Buffer.from(volume.at(path), 'latin1');
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') fail('ProtocolError', 'A hard link leads through a symlink');
    throw error;
  }
}
