/**
 * A fixed number of worker threads and the jobs waiting for them, first come first served. Callers bound how much they ask for.
 * `inlinePool` runs jobs on the caller's thread: the same jobs without threads, for tests and tiny work.
 */
import type { Worker } from 'node:worker_threads';
import { StorkError } from '../../kube/errors.ts';
import { startWorker } from '../start-worker.ts';
import type { Answers, Job, WorkerPool } from './job.ts';
import { jobRunner } from './run-job.ts';
import { openSyscalls } from './syscalls.ts';
import type { WorkerAnswer } from './worker.ts';

interface Waiting {
  readonly job: Job;
  readonly resolve: (answer: Answers[keyof Answers]) => void;
  readonly reject: (error: unknown) => void;
}

/** @param workers how many threads; each holds one segment buffer and about 10 MB of its own */
export function createWorkerPool(workers: number): WorkerPool {
  const waiting: Waiting[] = [];
  const threads = Array.from({ length: workers }, () => thread(waiting));
  let isClosed = false;
  return {
    workers,
    run<J extends Job>(job: J, signal?: AbortSignal): Promise<Answers[J['do']]> {
      signal?.throwIfAborted();
      if (isClosed) return Promise.reject(stopped());
      return new Promise<Answers[keyof Answers]>((resolve, reject) => {
        waiting.push({ job, resolve, reject });
        for (const { next } of threads) next();
      }) as Promise<Answers[J['do']]>; // The worker answers a job with its own kind of answer.
    },
    async close() {
      isClosed = true;
      for (const { reject } of waiting.splice(0)) reject(stopped());
      await Promise.all(threads.map(({ stop }) => stop()));
    },
  };
}

const stopped = (): StorkError => new StorkError({ code: 'Stopped', message: 'The worker threads were stopped' });

/** One place in the pool: a worker thread, and another one for the next job when it died of this one. */
function thread(waiting: Waiting[]) {
  let current: Waiting | undefined;
  let worker: Worker | undefined = start();

  function start(): Worker {
    const started = startWorker('mover/worker', {
      resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 },
      // Node would keep a list of what the thread opened, and take for a mistake what a system call of ours opened.
      trackUnmanagedFds: false,
    });
    const died = (cause?: unknown) => {
      if (worker !== started) return;
      worker = undefined;
      current?.reject(
        new StorkError({ code: 'MoverFault', message: 'A worker thread failed', retryable: true, cause }),
      );
      current = undefined;
      next();
    };
    started.on('message', (message: WorkerAnswer) => {
      const done = current;
      current = undefined;
      if ('answer' in message) done?.resolve(message.answer);
      else done?.reject(new StorkError(message.error));
      next();
    });
    started.on('error', died);
    started.on('messageerror', (cause) => {
      died(cause);
      void started.terminate();
    });
    started.on('exit', () => died());
    return started;
  }
  function next(): void {
    if (current !== undefined) return;
    current = waiting.shift();
    if (current === undefined) return;
    worker ??= start();
    worker.postMessage(current.job, movable(current.job));
  }
  return {
    next,
    async stop() {
      current?.reject(stopped());
      current = undefined;
      const last = worker;
      worker = undefined;
      await last?.terminate();
    },
  };
}

/** Large content for a volume moves to the worker; content for staging is looked at again. */
const movableBytes = 256 * 1024;

function movable(job: Job): ArrayBuffer[] {
  const isForVolume = job.do === 'fill' || (job.do === 'put' && job.root !== undefined);
  if (!isForVolume || job.payload.length < movableBytes) return [];
  const { buffer } = job.payload;
  return buffer instanceof ArrayBuffer ? [buffer] : [];
}

export function inlinePool(syscalls = openSyscalls()): WorkerPool {
  const runner = jobRunner(syscalls);
  return {
    workers: 1,
    async run<J extends Job>(job: J, signal?: AbortSignal): Promise<Answers[J['do']]> {
      await new Promise<void>((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
      return runner.run(job) as Answers[J['do']]; // The runner answers a job with its own kind of answer.
    },
    close: async () => undefined,
  };
}
