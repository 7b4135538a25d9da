/** Brings contents into files: small ones many at a time, large ones in parts by all threads; what is there already isn't fetched. */
import { closeSync } from 'node:fs';
import { errnoOf } from '../../mover/mover-error.ts';
import type { Background } from '../../mover/pulse.ts';
import type { Degraded } from '../../mover/settle.ts';
import type { Syscalls } from '../../mover/syscalls.ts';
import type { BlobLocations } from '../blob-locations.ts';
import type { TreeNode } from '../format/tree.ts';
import type { Repository } from '../repository.ts';
import { fetchBlobs } from './fetch-blobs.ts';
import type { FileItem, ItemProblem, Piece, RestoreAnswer } from './restore-job.ts';
import type { RestoreThreads } from './restore-threads.ts';
import type { TargetDirectory } from './target-directory.ts';
import { directoryInTheWay, finishContent, openForWriting, setAside } from './write-files.ts';

export interface ContentTools {
  readonly repository: Repository;
  readonly locations: BlobLocations;
  readonly threads: RestoreThreads;
  readonly background: Background;
  readonly syscalls: Syscalls;
  readonly degraded: Degraded;
  readonly wholeTrees: 'remove' | 'keep';
  readonly signal: AbortSignal;
  /** Descriptors to close when all ends before its time. */
  readonly opened: Set<number>;
  /** Adds what an answer counts. */
  readonly onAnswer: (answer: RestoreAnswer) => void;
}

/** One file of a batch, and whom to tell. */
export interface FileTask {
  readonly into: TargetDirectory;
  readonly node: TreeNode;
  readonly pieces: readonly Piece[];
  /** Called when a part of a large file is there, for progress. */
  readonly count: (bytes: number) => void;
  /** Called once; the inode that holds the content when nothing went wrong. */
  readonly done: (outcome: FileOutcome) => void;
  /** Called instead when everything ends. */
  readonly abandon: () => void;
}

export type FileOutcome = { readonly inode: bigint } | { readonly problem: Omit<ItemProblem, 'item'> };

/** What one job brings at most: bounds memory. Of an S3 server one request takes as much as two megabytes. */
export const jobBytes = 12 * 1024 * 1024;
/** Jobs under way: one for each thread, and what is fetched meanwhile. */
export const jobsAtOnce = (threads: number): number => threads + 2;

export async function restoreSmall(tasks: readonly FileTask[], tools: ContentTools): Promise<void> {
  const items = tasks.map(
    ({ into, node, pieces }): FileItem => ({
      directory: into.open(),
      node,
      fd: undefined,
      offset: 0,
      pieces,
      isNew: into.isNew,
    }),
  );
  const answer = await bring(items, tools).catch((error: unknown) => {
    for (const { abandon } of tasks) abandon();
    throw error;
  });
  const problems = new Map(answer.problems.map((problem) => [problem.item, problem]));
  for (const [at, { done }] of tasks.entries()) {
    const problem = problems.get(at);
    done(problem === undefined ? { inode: answer.inodes[at] ?? 0n } : { problem });
  }
}

/** Asks for parts as fast as they find places; resolves when all are asked for, and calls `done` when all are written. */
export async function restoreLarge(
  { into, node, pieces, count, done, abandon }: FileTask,
  tools: ContentTools,
): Promise<void> {
  const opened = openOrProblem({ directory: into.open(), node, isNew: into.isNew }, tools.wholeTrees);
  if ('problem' in opened) return done(opened);
  const { fd, isNew } = opened;
  tools.opened.add(fd);
  const item = { directory: into.open(), node, fd, isNew };
  const parts = [...partsOf(pieces)];
  let open = parts.length;
  let problem: Omit<ItemProblem, 'item'> | undefined;
  let inode = 0n;
  const finish = () => {
    try {
      if (problem === undefined) finishContent(fd, item, tools);
      else if (isNew) setAside(item.directory, node.name);
    } finally {
      tools.opened.delete(fd);
      closeSync(fd);
    }
    done(problem === undefined ? { inode } : { problem });
  };
  for (const part of parts)
    await tools.background.start(async () => {
      const answer = await bring([{ ...item, ...part }], tools).catch((error: unknown) => {
        abandon();
        throw error;
      });
      problem ??= answer.problems[0];
      inode = answer.inodes[0] ?? 0n;
      count(part.pieces.reduce((sum, { length }) => sum + length, 0));
      open--;
      if (open === 0) finish();
    });
}

function openOrProblem(
  item: Pick<FileItem, 'directory' | 'node' | 'isNew'>,
  wholeTrees: 'remove' | 'keep',
): { readonly fd: number; readonly isNew: boolean } | { readonly problem: Omit<ItemProblem, 'item'> } {
  try {
    return openForWriting(item, wholeTrees) ?? { problem: { kind: 'unwritable', message: directoryInTheWay } };
  } catch (error) {
    const code = errnoOf(error);
    if (code === undefined || code === 'ENOSPC') throw error;
    return { problem: { kind: 'unwritable', message: code } };
  }
}

export function* partsOf(
  pieces: readonly Piece[],
): Generator<{ readonly offset: number; readonly pieces: readonly Piece[] }> {
  let part: Piece[] = [];
  let bytes = 0;
  let offset = 0;
  for (const piece of pieces) {
    part.push(piece);
    bytes += piece.length;
    if (bytes < jobBytes) continue;
    yield { offset, pieces: part };
    offset += bytes;
    part = [];
    bytes = 0;
  }
  if (part.length > 0) yield { offset, pieces: part };
}

/** Looks at what is there, fetches what is missing, writes it. */
export async function bring(items: readonly FileItem[], tools: ContentTools): Promise<RestoreAnswer> {
  const { threads, repository, locations, wholeTrees, signal } = tools;
  const isProbed = items.some(({ isNew, pieces }) => !isNew && pieces.length > 0);
  const present = isProbed ? (await threads.run({ do: 'probe', items })).present : [];
  const isWanted = (item: number, piece: number) => present[item]?.[piece] !== true;
  const wanted = items.flatMap(({ pieces }, at) =>
    pieces.filter((_, piece) => isWanted(at, piece)).map(({ id }) => id),
  );
  const { blobs, buffers, numbers } = await fetchBlobs(repository, locations, wanted, signal);
  const answer = await threads.run({
    do: 'write',
    items: items.map((item, at) => ({
      ...item,
      blobs: item.pieces.map(({ id }, piece) => (isWanted(at, piece) ? numbers.get(id) : undefined)),
    })),
    blobs,
    buffers,
    wholeTrees,
  });
  tools.onAnswer(answer);
  return answer;
}
