/** A worker thread of a restore: one job at a time. Errors travel as their fields, so that codes survive. */
import { parentPort, workerData } from 'node:worker_threads';
import { StorkError } from '../../../kube/errors.ts';
import { openSyscalls } from '../../mover/syscalls.ts';
import { pacer } from '../local-limits.ts';
import { type PackedWrite, unpackWrite } from './packed-write.ts';
import type { RestoreAnswer, RestoreJob, RestoreThreadData, WriteJob } from './restore-job.ts';
import { restoreJobRunner } from './run-restore-job.ts';

export type RestoreReply =
  | { readonly answer: RestoreAnswer }
  | { readonly error: Pick<StorkError, 'code' | 'message' | 'about' | 'hint'> };

/** As it travels. */
type SentJob = Exclude<RestoreJob, WriteJob> | PackedWrite;

const { key, limits } = workerData as RestoreThreadData;
const run = restoreJobRunner(
  { encrypt: Buffer.from(key.encrypt), macK: Buffer.from(key.macK), macR: Buffer.from(key.macR) },
  openSyscalls(),
  pacer(limits),
);

const port = parentPort;
port?.on('message', (job: SentJob) => port.postMessage(replyTo(job.do === 'packed write' ? unpackWrite(job) : job)));

function replyTo(job: RestoreJob): RestoreReply {
  try {
    return { answer: run(job) };
  } catch (error) {
    if (error instanceof StorkError) {
      const { code, message, about, hint } = error;
      return { error: { code, message, about, hint } };
    }
    return { error: { code: 'TargetUnwritable', message: String(error), about: undefined, hint: undefined } };
  }
}
