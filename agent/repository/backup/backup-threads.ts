/**
 * The worker threads of a backup: jobs in order of asking, packs handed on for storing. While enough packs wait to be stored no
 * thread gets a further job, so that memory is bounded by the store's speed.
 */
import { startWorker } from '../../start-worker.ts';
import type {
  BackupAnswer,
  BackupCounts,
  BackupJob,
  BackupRequest,
  BackupThreadData,
  WrittenPack,
} from './backup-job.ts';
import { type ClaimTables, isCrowded, newClaimTable } from './claims.ts';

export interface BackupThreads {
  run(job: BackupJob): Promise<BackupAnswer>;
  /** Every thread's last packs; resolves when all packs are stored. */
  flush(): Promise<void>;
  readonly counts: BackupCounts;
  close(): Promise<void>;
}

export interface BackupThreadsOptions extends BackupThreadData {
  readonly threads: number;
  readonly storePack: (pack: WrittenPack) => Promise<void>;
}

interface Waiting {
  readonly job: BackupJob;
  readonly resolve: (answer: BackupAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/** Jobs that wait when a thread is free again: fewer are done before another thread has begun. */
const jobsPerThread = 8;
/** Packs of all threads that may wait for the store while they work on: one each, and one for who is faster. Bounds memory. */
const packsInFlight = (threads: number): number => threads + 1;

export function backupThreads({ threads, storePack, ...data }: BackupThreadsOptions): BackupThreads {
  const waiting: Waiting[] = [];
  const counts = { filesRead: 0, bytesRead: 0, newBlobs: 0, bytesAdded: 0 };
  let failure: { readonly error: unknown } | undefined;
  const failAll = (error: unknown) => {
    failure ??= { error };
    for (const { reject } of waiting.splice(0)) reject(error);
  };
  const onAnswer = (answer: BackupAnswer) => {
    counts.filesRead += answer.counts.filesRead;
    counts.bytesRead += answer.counts.bytesRead;
    counts.newBlobs += answer.counts.newBlobs;
    counts.bytesAdded += answer.counts.bytesAdded;
    if (isCrowded(data.tables)) data.tables.push(newClaimTable((data.tables.at(-1)?.byteLength ?? 0) / 8));
    if (!isClosed && all.length < threads && waiting.length >= jobsPerThread) start();
  };
  const all: ReturnType<typeof oneThread>[] = [];
  let packs = 0;
  const inFlight: PacksInFlight = {
    begin: () => void packs++,
    end() {
      packs--;
      for (const { next } of all) next();
    },
    isFull: () => packs >= packsInFlight(threads),
  };
  let isClosed = false;
  const start = () => {
    const thread = oneThread({ data, waiting, storePack, onAnswer, failAll, inFlight });
    all.push(thread);
    thread.next();
  };
  start();
  const run = (job: BackupJob) =>
    new Promise<BackupAnswer>((resolve, reject) => {
      if (failure !== undefined) return reject(failure.error);
      waiting.push({ job, resolve, reject });
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
      await Promise.all(all.map(({ stop }) => stop()));
    },
  };
}

/** Packs that are being stored, whichever thread made them. */
interface PacksInFlight {
  begin(): void;
  end(): void;
  isFull(): boolean;
}

interface ThreadOptions {
  readonly data: BackupThreadData;
  readonly waiting: Waiting[];
  readonly storePack: (pack: WrittenPack) => Promise<void>;
  readonly onAnswer: (answer: BackupAnswer) => void;
  readonly failAll: (error: unknown) => void;
  readonly inFlight: PacksInFlight;
}

function buffersOf(job: BackupJob): readonly ArrayBuffer[] {
  if (job.do === 'tree') return [job.json.buffer];
  return job.do === 'entries' && job.before !== undefined ? [job.before.json.buffer] : [];
}

function oneThread({ data, waiting, storePack, onAnswer, failAll, inFlight }: ThreadOptions) {
  const tables: ClaimTables = [...data.tables];
  const worker = startWorker('repository/backup/backup-worker', {
    workerData: { ...data, tables: [...tables] } satisfies BackupThreadData,
    resourceLimits: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 8 },
  });
  let current: Waiting | undefined;
  let buffers: ArrayBuffer[] = [];
  const storing = new Set<Promise<void>>();
  const send = (one: Waiting) => {
    current = one;
    const more = data.tables.slice(tables.length);
    tables.push(...more);
    const request: BackupRequest = { job: one.job, tables: more, buffers };
    worker.postMessage(request, [...buffers, ...buffersOf(one.job)]);
    buffers = [];
  };
  const next = () => {
    if (current !== undefined || inFlight.isFull()) return;
    const one = waiting.shift();
    if (one !== undefined) send(one);
  };
  const store = (pack: WrittenPack) => {
    const stored = storePack(pack).then(
      () => {
        buffers.push(pack.buffer);
      },
      (error: unknown) => failAll(error),
    );
    const done = stored.finally(() => {
      storing.delete(done);
      inFlight.end();
    });
    inFlight.begin();
    storing.add(done);
  };
  worker.on('message', (answer: BackupAnswer) => {
    onAnswer(answer);
    for (const pack of answer.packs) store(pack);
    const done = current;
    current = undefined;
    done?.resolve(answer);
    next();
  });
  worker.on('error', (error) => {
    failAll(error);
    current?.reject(error);
    current = undefined;
  });
  return {
    next,
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
