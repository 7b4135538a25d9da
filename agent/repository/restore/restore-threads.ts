/** The worker threads of a restore: jobs in order of asking, one at a time each. Callers bound how much they ask for. */
import { StorkError } from '../../../kube/errors.ts';
import { startWorker } from '../../start-worker.ts';
import type { RepositoryKey } from '../format/seal.ts';
import { type LocalLimits, shareLimits } from '../local-limits.ts';
import { packWrite } from './packed-write.ts';
import type { RestoreAnswer, RestoreJob, RestoreThreadData } from './restore-job.ts';
import type { RestoreReply } from './restore-worker.ts';

export interface RestoreThreads extends AsyncDisposable {
  readonly threads: number;
  run(job: RestoreJob): Promise<RestoreAnswer>;
  /** May be repeated. */
  close(): Promise<void>;
}

interface Waiting {
  readonly job: RestoreJob;
  readonly resolve: (answer: RestoreAnswer) => void;
  readonly reject: (error: unknown) => void;
}

export function restoreThreads(
  key: RepositoryKey,
  { threads, limits }: { readonly threads: number; readonly limits?: LocalLimits | undefined },
): RestoreThreads {
  const data = { key, limits: shareLimits(limits) };
  const waiting: Waiting[] = [];
  let failure: { readonly error: unknown } | undefined;
  const failAll = (error: unknown) => {
    failure ??= { error };
    for (const { reject } of waiting.splice(0)) reject(error);
  };
  const all: ReturnType<typeof oneThread>[] = [];
  let isClosed = false;
  /** Another thread costs more than the few jobs of a small restore. */
  const startMore = () => {
    if (!isClosed && all.length < threads && waiting.length >= jobsPerThread) start();
  };
  const start = () => {
    const thread = oneThread({ data, waiting, failAll, onReply: startMore });
    all.push(thread);
    thread.next();
  };
  start();
  const close = async () => {
    isClosed = true;
    failAll(new StorkError({ code: 'Stopped', message: 'The restore was stopped' }));
    await Promise.all(all.map(({ stop }) => stop()));
  };
  return {
    threads,
    run: (job) =>
      new Promise<RestoreAnswer>((resolve, reject) => {
        if (failure !== undefined) return reject(failure.error);
        waiting.push({ job, resolve, reject });
        for (const { next } of all) next();
        startMore();
      }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Jobs that wait when a thread is free again. */
const jobsPerThread = 2;

interface ThreadOptions {
  readonly data: RestoreThreadData;
  readonly waiting: Waiting[];
  readonly failAll: (error: unknown) => void;
  readonly onReply: () => void;
}

function oneThread({ data, waiting, failAll, onReply }: ThreadOptions) {
  const worker = startWorker('repository/restore/restore-worker', {
    workerData: data,
    resourceLimits: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 8 },
  });
  let current: Waiting | undefined;
  const next = () => {
    if (current !== undefined) return;
    current = waiting.shift();
    if (current === undefined) return;
    const { job } = current;
    if (job.do === 'write') worker.postMessage(packWrite(job), [...job.buffers]);
    else worker.postMessage(job);
  };
  worker.on('message', (reply: RestoreReply) => {
    const done = current;
    current = undefined;
    if ('answer' in reply) done?.resolve(reply.answer);
    else done?.reject(new StorkError(reply.error));
    next();
    onReply();
  });
  worker.on('error', (error) => {
    failAll(error);
    current?.reject(error);
    current = undefined;
  });
  return {
    next,
    async stop() {
      current?.reject(new StorkError({ code: 'Stopped', message: 'The restore was stopped' }));
      current = undefined;
      await worker.terminate();
    },
  };
}
