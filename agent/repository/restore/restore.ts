/**
 * Brings a snapshot, or a part of it, back to a directory. Everything is made through descriptors below the target, so nothing outside
 * of it is ever touched; each byte is proven by its hash before it is written; bytes that are in place already are left alone.
 */
import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import type { StorkError } from '../../../kube/errors.ts';
import type { Counts } from '../../mover/contract.ts';
import { errnoOf } from '../../mover/mover-error.ts';
import { createBackground, createPulse } from '../../mover/pulse.ts';
import { keepMemorySmall, releaseFreeMemory } from '../../mover/release-memory.ts';
import { type ByteString, openSyscalls } from '../../mover/syscalls.ts';
import { bytesOf } from '../directory-fd.ts';
import type { LocalLimits } from '../local-limits.ts';
import type { Repository, StoredSnapshot } from '../repository.ts';
import { failRepository } from '../repository-error.ts';
import type { PathFilter } from '../select-paths.ts';
import { jobsAtOnce } from './restore-content.ts';
import type { RestoreProblem } from './restore-job.ts';
import { failProblem, problemLimit } from './restore-problem.ts';
import { type RestoreThreads, restoreThreads } from './restore-threads.ts';
import { restoreTree } from './restore-tree.ts';
import { snapshotTrees } from './snapshot-trees.ts';
import { verifyTree } from './verify-tree.ts';

export interface RestoreOptions {
  readonly repository: Repository;
  readonly snapshot: Pick<StoredSnapshot, 'tree' | 'paths'>;
  /** The directory of the snapshot that becomes the target; '' for its root. */
  readonly from: ByteString;
  /** Made when it isn't there. */
  readonly target: ByteString;
  readonly filter: PathFilter;
  /** What the target has and the snapshot has not, within what was saved. */
  readonly others: 'keep' | 'remove';
  /** Whether everything is read back from the storage and compared. */
  readonly verify: boolean;
  /** What is lost or can't be written: the first ends the restore, or all are named and the rest is restored. */
  readonly problems: 'fail' | 'name';
  readonly threads: number;
  /** So many, when they were started before; ended here. */
  readonly started?: RestoreThreads | undefined;
  /** On what is written and compared. */
  readonly limits?: LocalLimits | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
}

export interface RestoreProgress {
  readonly phase: 'restoring' | 'verifying';
  /** Everything but directories. */
  readonly files: number;
  readonly directories: number;
  /** Of files, whether they had to be written or not. */
  readonly bytes: number;
  readonly bytesWritten: number;
  /** Names that were removed, each with all below it. */
  readonly removed: number;
}

export interface RestoreResult extends Omit<RestoreProgress, 'phase'> {
  readonly verified: boolean;
  /** At most `problemLimit`. */
  readonly problems: readonly RestoreProblem[];
  readonly problemCount: number;
  /** Metadata that the kernel refused to set, by kind. */
  readonly degraded: Counts;
}

/** What both passes share. */
export interface RestoreRun {
  readonly options: RestoreOptions;
  readonly counts: { files: number; directories: number; bytes: number; bytesWritten: number; removed: number };
  readonly degraded: Record<string, number>;
  /** Counts it; throws when problems end the restore. */
  readonly note: (problem: RestoreProblem) => void;
  readonly tell: (phase: RestoreProgress['phase']) => void;
}

/** @throws `PathMissing`, `TargetUnwritable`, `TargetFull`, `RestoreIncomplete` unless problems are only named */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  const { repository, snapshot, signal } = options;
  const problems: RestoreProblem[] = [];
  const counts = { files: 0, directories: 0, bytes: 0, bytesWritten: 0, removed: 0, problems: 0 };
  const run: RestoreRun = {
    options,
    counts,
    degraded: {},
    note(problem) {
      if (options.problems === 'fail') failIncomplete(problem);
      counts.problems++;
      if (problems.length < problemLimit) problems.push(problem);
    },
    tell: (phase) => options.onProgress?.({ phase, ...counts }),
  };
  const onDamage = (name: string, { message }: StorkError) => run.note({ path: name, kind: 'lost', message });
  keepMemorySmall();
  const locations = await repository.loadIndex(signal, undefined, onDamage);
  releaseFreeMemory();
  const trees = snapshotTrees(repository, locations, signal);
  const from = await trees.find(snapshot.tree, options.from);
  if (from !== undefined && from.subtree === undefined)
    failRepository('PathMissing', 'That is no directory of the snapshot', options.from, 'Use --include for a file.');
  const root = openTarget(options.target);
  const threads = options.started ?? restoreThreads(repository.key, options);
  const syscalls = openSyscalls();
  const background = createBackground(jobsAtOnce(options.threads), createPulse());
  const opened = new Set<number>();
  try {
    const tools = { run, repository, locations, trees, threads, background, syscalls, root, opened };
    const tree = from?.subtree ?? snapshot.tree;
    await restoreTree({ ...tools, tree, node: from });
    syscalls.syncFileSystem(root);
    if (options.verify) await verifyTree({ ...tools, tree, node: from });
  } finally {
    await threads.close();
    await background.idle();
    for (const fd of opened) closeSync(fd);
    closeSync(root);
  }
  const { problems: problemCount, ...rest } = counts;
  return { ...rest, verified: options.verify, problems, problemCount, degraded: run.degraded };
}

function failIncomplete(problem: RestoreProblem): never {
  const { kind, message } = problem;
  failProblem(
    kind === 'different' ? { ...problem, message: `What was restored is not what was saved: ${message}` } : problem,
  );
}

function openTarget(target: ByteString): number {
  const path = bytesOf(target);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    const code = errnoOf(error);
    const why = code === 'EEXIST' || code === 'ENOTDIR' ? 'it, or what it lies in, is no directory' : code;
    return failRepository('TargetUnwritable', `The target can't be opened: ${why ?? String(error)}`, target);
  }
}
