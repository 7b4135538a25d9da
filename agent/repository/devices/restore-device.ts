/**
 * Brings a raw device back to a device or an image: reads what is there, writes only blocks that differ, each proven by its hash before.
 * Killed, it is simply repeated.
 */
import { fsyncSync } from 'node:fs';
import { errnoOf } from '../../mover/mover-error.ts';
import { createBackground, createPulse } from '../../mover/pulse.ts';
import { keepMemorySmall } from '../../mover/release-memory.ts';
import { type ByteString, openSyscalls } from '../../mover/syscalls.ts';
import { bytesOf } from '../directory-fd.ts';
import type { TreeNode } from '../format/tree.ts';
import type { LocalLimits } from '../local-limits.ts';
import type { Repository, StoredSnapshot } from '../repository.ts';
import { failRepository } from '../repository-error.ts';
import { bring, type ContentTools } from '../restore/restore-content.ts';
import type { FileItem, RestoreProblem } from '../restore/restore-job.ts';
import { failProblem, problemLimit } from '../restore/restore-problem.ts';
import { restoreThreads } from '../restore/restore-threads.ts';
import { snapshotTrees } from '../restore/snapshot-trees.ts';
import type { ByteRange } from './changed-blocks.ts';
import { fileOf } from './device-layout.ts';
import { openTargetDevice, type TargetDevice } from './open-target.ts';
import { type DeviceWork, planPieces } from './plan-pieces.ts';
import { openStoredDevice, piecesOf, type StoredDevice, type StoredSegment } from './stored-device.ts';

export interface DeviceRestoreOptions {
  readonly repository: Repository;
  readonly snapshot: Pick<StoredSnapshot, 'tree'>;
  /** Of the device in the snapshot. */
  readonly from: ByteString;
  /** A block device, or an image file, which is made when it isn't there. */
  readonly target: ByteString;
  /** Whether everything is read back from the storage and compared. */
  readonly verify: boolean;
  /** What is lost: the first ends the restore, or all is named and what is there at the target stays. */
  readonly problems: 'fail' | 'name';
  readonly threads: number;
  /** On what is written and compared. */
  readonly limits?: LocalLimits | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: DeviceProgress) => void) | undefined;
}

export interface DeviceProgress {
  readonly phase: 'restoring' | 'verifying';
  /** Whether they had to be written or not. */
  readonly bytes: number;
  readonly bytesWritten: number;
  readonly sizeBytes: number;
}

export interface DeviceRestoreResult {
  readonly sizeBytes: number;
  /** A larger device's bytes behind that are as they were. */
  readonly targetBytes: number;
  readonly bytesWritten: number;
  readonly verified: boolean;
  /** At most `problemLimit`. */
  readonly problems: readonly RestoreProblem[];
  readonly problemCount: number;
}

interface DeviceRun {
  readonly options: DeviceRestoreOptions;
  readonly device: StoredDevice;
  readonly target: TargetDevice;
  readonly tools: ContentTools & { readonly trees: ReturnType<typeof snapshotTrees> };
  readonly note: (problem: Omit<RestoreProblem, 'path'>, at: ByteRange) => void;
}

/** @throws `NoDevice`, `TargetInUse`, `TargetTooSmall`, `TargetUnwritable`, `TargetFull`, `RestoreIncomplete`, `RestoreDiffers`, … */
export async function restoreDevice(options: DeviceRestoreOptions): Promise<DeviceRestoreResult> {
  const { repository, snapshot, from, signal } = options;
  keepMemorySmall();
  const locations = await repository.loadIndex(signal);
  const trees = snapshotTrees(repository, locations, signal);
  const device = await openStoredDevice({ repository, locations, trees, signal }, snapshot.tree, from);
  const { sizeBytes } = device.record;
  const syscalls = openSyscalls();
  using target = openTargetDevice(options.target, sizeBytes, syscalls);
  const threads = restoreThreads(repository.key, options);
  const background = createBackground(options.threads * 2 + 2, createPulse());
  const problems: RestoreProblem[] = [];
  let problemCount = 0;
  let bytesWritten = 0;
  const common = { repository, locations, threads, background, syscalls, signal, trees };
  const run: DeviceRun = {
    options,
    device,
    target,
    tools: {
      ...common,
      degraded: {},
      wholeTrees: 'keep',
      opened: new Set(),
      onAnswer(answer) {
        bytesWritten += answer.bytesWritten;
      },
    },
    note(problem, { offset, length }) {
      const { kind } = problem;
      const message = `${problem.message}, within ${length} bytes from byte ${offset}`;
      if (options.problems === 'fail') failProblem({ path: options.target, kind, message });
      problemCount++;
      if (problems.length < problemLimit) problems.push({ path: from, kind, message });
    },
  };
  try {
    await eachWork(run, 'restoring', () => bytesWritten, writeWork);
    flush(target.fd, options.target);
    if (options.verify) await eachWork(run, 'verifying', () => bytesWritten, verifyWork);
  } finally {
    await threads.close();
    await background.idle();
  }
  return { sizeBytes, targetBytes: target.sizeBytes, bytesWritten, verified: options.verify, problems, problemCount };
}

type DoWork = (work: DeviceWork, segment: StoredSegment, run: DeviceRun) => Promise<void>;

/** As many at once as the background takes; resolves when all are done. */
async function eachWork(run: DeviceRun, phase: DeviceProgress['phase'], written: () => number, doWork: DoWork) {
  const { tools, device, options } = run;
  let bytes = 0;
  for (const segment of device.segments)
    for (const work of planPieces(await piecesOf(segment, tools.trees), segment.offset)) {
      options.signal.throwIfAborted();
      await tools.background.start(async () => {
        await doWork(work, segment, run);
        bytes += work.length;
        options.onProgress?.({ phase, bytes, bytesWritten: written(), sizeBytes: device.record.sizeBytes });
      });
    }
  await tools.background.idle();
  tools.background.check();
}

async function writeWork(work: DeviceWork, segment: StoredSegment, { target, tools, note }: DeviceRun): Promise<void> {
  const { fd, isNew } = target;
  if (work.is === 'zeros') {
    if (isNew) return;
    tools.syscalls.readAnew(fd, work.offset, work.length);
    const { offset, length } = work;
    return tools.onAnswer(await tools.threads.run({ do: 'zeros', fd, offset, length, effect: 'clear' }));
  }
  // What a file system on it wrote, or another node, is not always in the cache that we would read from.
  if (!isNew) tools.syscalls.readAnew(fd, work.offset, work.length);
  const { problems } = await bring([itemOf(work, segment, target)], tools);
  for (const problem of problems) note(problem, work);
}

async function verifyWork(work: DeviceWork, segment: StoredSegment, run: DeviceRun): Promise<void> {
  const { target, tools, note } = run;
  const { offset, length } = work;
  tools.syscalls.readAnew(target.fd, offset, length);
  const { present } =
    work.is === 'zeros'
      ? await tools.threads.run({ do: 'zeros', fd: target.fd, offset, length, effect: 'look' })
      : await tools.threads.run({ do: 'probe', items: [itemOf(work, segment, target)] });
  if (present[0]?.every((isSame) => isSame) !== true)
    note({ kind: 'different', message: 'Bytes differ from those saved' }, work);
}

function itemOf(
  { offset, pieces }: Extract<DeviceWork, { is: 'content' }>,
  segment: StoredSegment,
  { fd, isNew }: TargetDevice,
): FileItem {
  return { directory: -1, node: nodeOf(segment), fd, offset, pieces, isNew };
}

/** Only its name is looked at: for messages. */
const nodeOf = (segment: StoredSegment): TreeNode => ({
  name: fileOf(segment),
  type: 'file',
  size: segment.length,
  mode: 0,
  mtimeNs: 0n,
  ctimeNs: 0n,
  uid: 0,
  gid: 0,
  inode: 0n,
  deviceId: 0n,
  links: 1,
  device: 0n,
  linkTarget: '',
  content: [],
  subtree: undefined,
  xattrs: [],
});

function flush(fd: number, target: ByteString): void {
  try {
    fsyncSync(fd);
  } catch (error) {
    failRepository('TargetUnwritable', `Flushing failed with ${errnoOf(error) ?? String(error)}`, shown(target));
  }
}

const shown = (path: ByteString): string => bytesOf(path).toString('utf8');
