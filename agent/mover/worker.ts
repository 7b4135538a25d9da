/** Entry of a worker thread: one job at a time, answered in order. Errors travel as their fields, so that codes survive. */
import { isMainThread, parentPort } from 'node:worker_threads';
import { StorkError } from '../../kube/errors.ts';
import type { Answers, Job } from './job.ts';
import { releaseMemory } from './release-memory.ts';
import { jobRunner } from './run-job.ts';
import { openSyscalls } from './syscalls.ts';

export type WorkerAnswer =
  | { readonly answer: Answers[keyof Answers] }
  | {
      readonly error: {
        readonly code: string;
        readonly message: string;
        readonly about: string | undefined;
        readonly retryable: boolean;
      };
    };

if (!isMainThread && parentPort !== null) {
  const port = parentPort;
  const runner = jobRunner(openSyscalls());
  port.on('message', (job: Job) => {
    const message = answerOf(() => runner.run(job));
    // What came with the job is ours alone on this thread.
    if (job.do === 'put' || job.do === 'fill') releaseMemory(job.payload);
    port.postMessage(message, transferable(message));
  });
}

function answerOf(run: () => Answers[keyof Answers]): WorkerAnswer {
  try {
    return { answer: run() };
  } catch (error) {
    if (error instanceof StorkError) {
      return { error: { code: error.code, message: error.message, about: error.about, retryable: error.retryable } };
    }
    return { error: { code: 'MoverFault', message: String(error), about: undefined, retryable: true } };
  }
}

/** A payload that owns its memory moves without a copy; a small one shares Node's pool and is copied. */
function transferable(message: WorkerAnswer): ArrayBuffer[] {
  if ('error' in message || !('pack' in message.answer)) return [];
  const payload = message.answer.pack?.payload;
  if (payload === undefined || !(payload.buffer instanceof ArrayBuffer)) return [];
  return payload.byteLength === payload.buffer.byteLength ? [payload.buffer] : [];
}
