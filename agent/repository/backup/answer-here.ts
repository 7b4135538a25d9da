/**
 * Answers jobs on the main thread while nothing is to be stored: of what did not change there is little to do (some µs a name), and to ask
 * a thread costs more than that, to start one far more.
 */
import type { Clock } from '../../../kube/clock.ts';
import { releaseMemory } from '../../mover/release-memory.ts';
import { openSyscalls } from '../../mover/syscalls.ts';
import { binaryIdOf } from '../format/object-id.ts';
import type { BackupAnswer, BackupJob, BackupThreadData } from './backup-job.ts';
import type { BackupThreads } from './backup-threads.ts';
import { claims } from './claims.ts';
import { entrySaver } from './save-entries.ts';

export type AnswerHereData = Pick<BackupThreadData, 'tables' | 'trustBefore' | 'chunking'>;

/** A local file system answers in a few µs; when names take longer than this, several threads should wait for it. */
const slowNameMs = 0.1;
/** More than code that runs for the first time takes, or one file with thousands of blobs. */
const patienceMs = 100;
/** Of larger trees the hash alone is work for a thread. */
const treeBytesAtMost = 256 * 1024;

/** @param clock tells whether the file system is slow; without one it never is */
export function answerHere(
  { run }: Pick<BackupThreads, 'run'>,
  { tables, trustBefore, chunking }: AnswerHereData,
  clock: Pick<Clock, 'monotonicMs'> | undefined,
): BackupThreads['run'] {
  const known = claims(tables);
  const mustStore = (): never => {
    throw new MustStore();
  };
  const save = (bytes: Uint8Array, type: 'data' | 'tree'): string => {
    const id = binaryIdOf(bytes);
    return known.has(id, type) ? id.toString('hex') : mustStore();
  };
  const content = { save: mustStore, isText: mustStore };
  const saver = entrySaver({ content, blobs: { save }, known, syscalls: openSyscalls(), trustBefore, chunking });
  let names = 0;
  let spentMs = 0;
  /** From then on there is a thread anyway, and what was looked at here would be looked at again. */
  let isOver = false;
  const isForHere = (job: BackupJob): boolean => {
    if (isOver || spentMs > patienceMs + names * slowNameMs) return false;
    if (job.do === 'tree') return names > 0 && 'json' in job.tree && job.tree.json.length <= treeBytesAtMost;
    return job.do === 'entries' && job.before !== undefined;
  };
  const answerTo = (job: BackupJob): Partial<BackupAnswer> | undefined => {
    if (job.do === 'tree' && 'json' in job.tree) return { ids: [save(job.tree.json, 'tree')] };
    if (job.do !== 'entries') return undefined;
    names += job.names.length;
    return saver.entries(job);
  };
  return async (job) => {
    if (!isForHere(job)) return await run(job);
    const fromMs = clock?.monotonicMs() ?? 0;
    try {
      const answer = answerTo(job);
      if (answer !== undefined) {
        if (job.do === 'entries' && job.before !== undefined) releaseMemory(job.before.json);
        return { ...nothing, ...answer };
      }
    } catch (error) {
      if (!(error instanceof MustStore)) throw error;
      isOver = true;
    } finally {
      spentMs += (clock?.monotonicMs() ?? 0) - fromMs;
    }
    return await run(job);
  };
}

class MustStore extends Error {}

const nothing: BackupAnswer = {
  entries: [],
  entryCounts: { unchanged: 0, bytesUnchanged: 0, skipped: 0 },
  ids: [],
  problems: [],
  counts: { filesRead: 0, bytesRead: 0, newBlobs: 0, bytesAdded: 0 },
};
