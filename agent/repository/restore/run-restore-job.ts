/** Does one job of a restore on the calling thread. */
import { errnoOf } from '../../mover/mover-error.ts';
import type { Syscalls } from '../../mover/syscalls.ts';
import { smallBlobOpener } from '../format/open-small.ts';
import type { RepositoryKey } from '../format/seal.ts';
import type { Pace } from '../local-limits.ts';
import { clearZeros } from './clear-zeros.ts';
import { compareEntry } from './compare-entry.ts';
import type { CompareJob, CreateJob, ItemProblem, Piece, RestoreAnswer, RestoreJob } from './restore-job.ts';
import { directoryInTheWay, probeFile, refusalOf, writeFiles } from './write-files.ts';
import { createEntry } from './write-names.ts';

export type RunRestoreJob = (job: RestoreJob) => RestoreAnswer;

const nothing: RestoreAnswer = { present: [], problems: [], degraded: {}, bytesWritten: 0, inodes: [] };
const readBufferBytes = 1024 * 1024;

export function restoreJobRunner(key: RepositoryKey, syscalls: Syscalls, pace: Pace | undefined): RunRestoreJob {
  const buffer = Buffer.allocUnsafeSlow(readBufferBytes);
  const small = smallBlobOpener(key);
  return (job) => {
    const degraded = {};
    if (pace !== undefined) for (const bytes of bytesUsedBy(job)) pace(bytes);
    switch (job.do) {
      case 'probe':
        return { ...nothing, present: job.items.map((item) => probeFile(item, buffer)) };
      case 'write':
        return { ...nothing, ...writeFiles(job, { key, small, syscalls, degraded }), degraded };
      case 'create':
        return { ...nothing, problems: createAll(job, syscalls, degraded), degraded };
      case 'compare':
        return { ...nothing, problems: compareAll(job, buffer, syscalls) };
      case 'zeros':
        return { ...nothing, ...clearZeros(job, buffer, syscalls) };
      default:
        return job satisfies never;
    }
  };
}

/** Of the target's storage, item by item. */
function bytesUsedBy(job: RestoreJob): readonly number[] {
  if (job.do === 'zeros') return [job.length];
  if (job.do === 'create') return job.items.map(() => 0);
  if (job.do === 'write')
    return job.items.map(({ pieces, blobs }) => sizeOf(pieces.filter((_, at) => blobs[at] !== undefined)));
  return job.items.map(({ pieces }) => sizeOf(pieces));
}

const sizeOf = (pieces: readonly Pick<Piece, 'length'>[]): number =>
  pieces.reduce((sum, { length }) => sum + length, 0);

function createAll(
  { items, wholeTrees }: CreateJob,
  syscalls: Syscalls,
  degraded: Record<string, number>,
): ItemProblem[] {
  return items.flatMap((item, at) => {
    const problem = refusalOf(() =>
      createEntry(item, wholeTrees, syscalls, degraded)
        ? undefined
        : { kind: 'unwritable', message: directoryInTheWay },
    );
    return problem === undefined ? [] : [{ item: at, ...problem }];
  });
}

function compareAll({ items }: CompareJob, buffer: Buffer, syscalls: Syscalls): ItemProblem[] {
  return items.flatMap((item, at) => {
    const message = differenceOf(() => compareEntry(item, buffer, syscalls));
    return message === undefined ? [] : [{ item: at, kind: 'different' as const, message }];
  });
}

function differenceOf(compare: () => string | undefined): string | undefined {
  try {
    return compare();
  } catch (error) {
    return `can't be read: ${errnoOf(error) ?? String(error)}`;
  }
}
