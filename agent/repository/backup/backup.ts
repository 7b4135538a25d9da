/**
 * Saves directories into a repository: walks them, lets threads read and pack what is new, stores packs, then their index, then the
 * snapshot, whose appearance makes the restore point. Killed before that, nothing is visible and the packs that an index names are used again.
 */

import type { Clock } from '../../../kube/clock.ts';
import { keepMemorySmall, releaseFreeMemory } from '../../mover/release-memory.ts';
import type { CompressionLevel } from '../format/compress.ts';
import { blobLimitBytes } from '../format/pack.ts';
import { blobsOfEntries } from '../format/pack-entries.ts';
import type { Snapshot, SnapshotSummary } from '../format/snapshot.ts';
import { type IndexWriter, indexEveryMs, indexWriter } from '../index-writer.ts';
import { type LocalLimits, shareLimits } from '../local-limits.ts';
import type { WriterSession } from '../locks/writer-session.ts';
import type { Repository, StoredSnapshot } from '../repository.ts';
import { everyPath, type PathFilter } from '../select-paths.ts';
import { answerHere } from './answer-here.ts';
import type { BackupCounts, WrittenPack } from './backup-job.ts';
import { type BackupThreads, backupThreads } from './backup-threads.ts';
import type { ChunkingRule } from './choose-chunking.ts';
import type { ClaimTables } from './claims.ts';
import { type KnownBlobs, readKnownBlobs } from './known-blobs.ts';
import { parentTrees } from './parent-trees.ts';
import { type SaveProgress, saveTree } from './save-tree.ts';
import { type Selection, selectPaths } from './walk-directories.ts';

export interface BackupOptions extends CommitOptions {
  /** What of them is left out. */
  readonly excludes?: PathFilter | undefined;
  readonly onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** Of one directory's list; what readers take without it. */
  readonly treeLimitBytes?: number | undefined;
}

/** Of whatever becomes a restore point. */
export interface CommitOptions {
  readonly repository: Repository;
  /** Begun before: see locks/writer-session.ts. Without one nothing may collect garbage meanwhile. */
  readonly session?: Pick<WriterSession, 'markedPacks' | 'commit'> | undefined;
  /** Absolute, as byte strings. */
  readonly paths: readonly string[];
  /** Everything of the snapshot but tree and parent; `time` is when the backup began. */
  readonly describe: Omit<Snapshot, 'tree' | 'parent' | 'paths' | 'summary'>;
  /** Unchanged files are taken from it; everything is read when undefined. */
  readonly parent: StoredSnapshot | undefined;
  readonly level: CompressionLevel | undefined;
  readonly threads: number;
  /** On what is read of the data. */
  readonly limits?: LocalLimits | undefined;
  /** How files are cut; `auto` without any. Those that are unchanged stay as they were cut. */
  readonly chunking?: readonly ChunkingRule[] | undefined;
  readonly signal: AbortSignal;
  /** Without one an index is written only when it is full. */
  readonly clock?: Pick<Clock, 'monotonicMs'> | undefined;
  /** How long stored packs may go without being in an index. */
  readonly indexEveryMs?: number | undefined;
}

export interface BackupProgress extends SaveProgress, BackupCounts {}

export interface BackupProblem {
  readonly path: string;
  readonly kind: 'vanished' | 'changed' | 'unreadable';
  readonly message: string;
}

export interface BackupResult extends BackupProgress {
  readonly snapshot: string;
  readonly tree: string;
  /** Of everything that could not be saved as it was: at most `problemLimit`. */
  readonly problems: readonly BackupProblem[];
  readonly problemCount: number;
  /** Names that are not in the snapshot because of that. */
  readonly leftOutCount: number;
}

/** How long before the parent's time a change is taken for certain to have been seen: clocks of file systems are coarse. */
const clockSlackNs = 2_000_000_000n;

export const backup = (options: BackupOptions): Promise<BackupResult> =>
  commitTree(options, ({ threads, known }) =>
    saveTree({
      selection: selectPaths(options.paths) satisfies Selection,
      excludes: options.excludes ?? everyPath,
      threads,
      parents: parentTrees(options.repository, known.trees),
      parentTree: options.parent?.tree,
      signal: options.signal,
      treeLimitBytes: options.treeLimitBytes ?? blobLimitBytes,
      onProgress: (progress) => options.onProgress?.({ ...progress, ...threads.counts }),
    }),
  );

export interface TreeTools {
  readonly threads: BackupThreads;
  readonly known: KnownBlobs;
}

/** What makes a tree makes a restore point. @param save resolves when the tree is with the threads: they are flushed afterwards */
export async function commitTree<Saved extends SaveProgress & { readonly tree: string }>(
  options: CommitOptions,
  save: (tools: TreeTools) => Promise<Saved>,
): Promise<Saved & BackupCounts & { readonly snapshot: string }> {
  const { repository, session, paths, describe, parent, signal } = options;
  keepMemorySmall();
  const known = await readKnownBlobs(repository, signal, session?.markedPacks);
  releaseFreeMemory();
  const index = indexOf(options);
  const threads = startThreads(options, known.tables, async ({ buffer, length, entries, blobs }) => {
    const id = await repository.putPack(new Uint8Array(buffer, 0, length), signal);
    await index.add({ id, blobs: blobsOfEntries(entries, blobs) }, length);
  });
  try {
    const saved = await save({ threads, known });
    await threads.flush();
    await index.finish();
    signal.throwIfAborted();
    const display = paths.map((path) => Buffer.from(path, 'latin1').toString('utf8'));
    const summary = summaryOf(saved, threads.counts);
    const described = { ...describe, parent: parent?.id, paths: display, tree: saved.tree, summary };
    const snapshot = await (session?.commit(described) ?? repository.putSnapshot(described, signal));
    return { ...saved, ...threads.counts, snapshot };
  } catch (error) {
    // What is stored by now need not be stored again by the next one.
    await threads.close();
    await index.finish().catch(() => undefined);
    throw error;
  } finally {
    await threads.close();
  }
}

const summaryOf = (saved: SaveProgress, { bytesRead, bytesAdded }: BackupCounts): SnapshotSummary => ({
  entries: saved.entries - saved.skipped,
  bytes: bytesRead + saved.bytesUnchanged,
  bytesAdded,
});

function startThreads(
  options: CommitOptions,
  tables: ClaimTables,
  storePack: (pack: WrittenPack) => Promise<void>,
): BackupThreads {
  const { repository, level, threads, parent, chunking = [], clock, signal } = options;
  const trustBefore = BigInt(parent?.time.getTime() ?? 0) * 1_000_000n - clockSlackNs;
  const limits = shareLimits(options.limits);
  const common = { tables, trustBefore, chunking };
  const started = backupThreads({ ...common, key: repository.key, level, limits, threads, storePack, clock, signal });
  return { ...started, run: answerHere(started, common, clock) };
}

/** Also of a backup that was stopped: what is stored by then is indexed. */
function indexOf({ repository, signal, clock, indexEveryMs: everyMs = indexEveryMs }: CommitOptions): IndexWriter {
  return indexWriter(
    (packs) => repository.putIndex(packs, signal.aborted ? undefined : signal),
    clock === undefined ? undefined : { clock, everyMs },
  );
}
