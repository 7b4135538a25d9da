/**
 * The worker threads of a backup: jobs in order of asking, packs handed on for storing. While enough packs wait to be stored,
 * threads that have made another wait too (packs-ahead.ts), so that memory is bounded whatever the store's speed.
 */
import type { Clock } from '../../../kube/clock.ts';
import { releaseFreeMemory, releaseMemory } from '../../mover/release-memory.ts';
import { startWorker } from '../../start-worker.ts';
import type {
  BackupAnswer,
  BackupCounts,
  BackupJob,
  BackupReply,
  BackupRequest,
  BackupThreadData,
  WrittenPack,
} from './backup-job.ts';
import { addClaimTable, type ClaimTables, isCrowded } from './claims.ts';
import { newPacksAhead, type PacksAhead, packsAhead, slowStoreMs } from './packs-ahead.ts';

export interface BackupThreads {
  run(job: BackupJob): Promise<BackupAnswer>;
  /** Every thread's last packs; resolves when all packs are stored. */
  flush(): Promise<void>;
  readonly counts: BackupCounts;
  close(): Promise<void>;
}

export interface BackupThreadsOptions extends Omit<BackupThreadData, 'ahead'> {
  readonly threads: number;
  readonly storePack: (pack: WrittenPack) => Promise<void>;
  /** Aborted, nobody waits for what threads have in hand: a job may be gigabytes, and slowed down. */
  readonly signal?: AbortSignal | undefined;
  /** Without it no store counts as slow. */
  readonly clock?: Pick<Clock, 'monotonicMs'> | undefined;
}

interface Waiting {
  readonly job: BackupJob;
  readonly resolve: (answer: BackupAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/** Jobs that wait when a thread is free again: fewer are done before another thread has begun. */
const jobsPerThread = 8;
/** Jobs after which free memory between what threads keep goes back to the system: directories' texts come in all sizes. */
const answersPerRelease = 64;

export function backupThreads({ threads, storePack, clock, signal, ...given }: BackupThreadsOptions): BackupThreads {
  const data: BackupThreadData = { ...given, ahead: newPacksAhead() };
  const store = timed(storePack, clock, packsAhead(data.ahead));
  const waiting: Waiting[] = [];
  const counts = { filesRead: 0, bytesRead: 0, newBlobs: 0, bytesAdded: 0 };
  let failure: { readonly error: unknown } | undefined;
  const failAll = (error: unknown) => {
    failure ??= { error };
    for (const { reject } of waiting.splice(0)) reject(error);
  };
  let answers = 0;
  const onAnswer = (answer: BackupAnswer) => {
    answers++;
    if (answers % answersPerRelease === 0) releaseFreeMemory();
    counts.filesRead += answer.counts.filesRead;
    counts.bytesRead += answer.counts.bytesRead;
    counts.newBlobs += answer.counts.newBlobs;
    counts.bytesAdded += answer.counts.bytesAdded;
    if (isCrowded(data.tables)) addClaimTable(data.tables);
    if (!isClosed && all.length < threads && waiting.length >= jobsPerThread) start();
  };
  const all: ReturnType<typeof oneThread>[] = [];
  let isClosed = false;
  const abandon = () => {
    failAll(signal?.reason);
    for (const thread of all) thread.abandon(signal?.reason);
  };
  signal?.addEventListener('abort', abandon, { once: true });
  const start = () => {
    const thread = oneThread({ data, waiting, storePack: store, onAnswer, failAll });
    all.push(thread);
    thread.next();
  };
  const run = (job: BackupJob) =>
    new Promise<BackupAnswer>((resolve, reject) => {
      if (failure !== undefined) return reject(failure.error);
      waiting.push({ job, resolve, reject });
      // Who has nothing to store needs none.
      if (all.length === 0 && !isClosed) start();
      for (const { next } of all) next();
    });
  return {
    counts,
    run,
    async flush() {
      await Promise.all(all.map(({ flush }) => flush()));
      if (failure !== undefined) throw failure.error;
    },
    close: async () => {
      isClosed = true;
      signal?.removeEventListener('abort', abandon);
      await Promise.all(all.map(({ stop }) => stop()));
    },
  };
}

function timed(
  storePack: BackupThreadsOptions['storePack'],
  clock: BackupThreadsOptions['clock'],
  ahead: PacksAhead,
): BackupThreadsOptions['storePack'] {
  if (clock === undefined) return storePack;
  return async (pack) => {
    const began = clock.monotonicMs();
    await storePack(pack);
    if (clock.monotonicMs() - began >= slowStoreMs) ahead.allowMore();
  };
}

interface ThreadOptions {
  readonly data: BackupThreadData;
  readonly waiting: Waiting[];
  readonly storePack: (pack: WrittenPack) => Promise<void>;
  readonly onAnswer: (answer: BackupAnswer) => void;
  readonly failAll: (error: unknown) => void;
}

function buffersOf(job: BackupJob): readonly ArrayBuffer[] {
  if (job.do === 'tree')
    return 'json' in job.tree ? [job.tree.json.buffer] : job.tree.nodes.map(({ packed }) => packed.buffer);
  return job.do === 'entries' && job.before !== undefined ? [job.before.json.buffer] : [];
}

function oneThread({ data, waiting, storePack, onAnswer, failAll }: ThreadOptions) {
  const tables: ClaimTables = [...data.tables];
  const worker = startWorker('repository/backup/backup-worker', {
    workerData: { ...data, tables: [...tables] } satisfies BackupThreadData,
    resourceLimits: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 8 },
  });
  let current: Waiting | undefined;
  const ahead = packsAhead(data.ahead);
  const storing = new Set<Promise<void>>();
  const send = (one: Waiting) => {
    current = one;
    const more = data.tables.slice(tables.length);
    tables.push(...more);
    const request: BackupRequest = { job: one.job, tables: more };
    worker.postMessage(request, [...buffersOf(one.job)]);
  };
  const next = () => {
    if (current !== undefined) return;
    const one = waiting.shift();
    if (one !== undefined) send(one);
  };
  const store = (pack: WrittenPack) => {
    const stored = storePack(pack).then(
      () => releaseMemory(new Uint8Array(pack.buffer)),
      (error: unknown) => failAll(error),
    );
    const done = stored.finally(() => {
      storing.delete(done);
      ahead.end();
    });
    storing.add(done);
  };
  worker.on('message', (reply: BackupReply) => {
    if ('pack' in reply) return store(reply.pack);
    const { answer } = reply;
    onAnswer(answer);
    const done = current;
    current = undefined;
    done?.resolve(answer);
    next();
  });
  const abandon = (error: unknown) => {
    current?.reject(error);
    current = undefined;
  };
  worker.on('error', (error) => {
    failAll(error);
    abandon(error);
  });
  return {
    next,
    /** Of the job that it has in hand nothing is waited for any more. */
    abandon,
    async flush() {
      await new Promise<BackupAnswer>((resolve, reject) => send({ job: { do: 'flush' }, resolve, reject }));
      await Promise.all(storing);
    },
    /** Nothing is being stored any more afterwards. */
    async stop() {
      await worker.terminate();
      await Promise.all(storing);
    },
  };
}
