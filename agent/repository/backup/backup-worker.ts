/** A worker thread of a backup. */
import { parentPort, workerData } from 'node:worker_threads';
import { openSyscalls } from '../../mover/syscalls.ts';
import type { BackupAnswer, BackupCounts, BackupJob, BackupRequest, BackupThreadData } from './backup-job.ts';
import { blobWriter } from './blob-writer.ts';
import { claims } from './claims.ts';
import { gearTable } from './gear-chunker.ts';
import { contentReader } from './save-content.ts';
import { deviceSaver } from './save-device.ts';
import { entrySaver } from './save-entries.ts';

const { key: given, tables, level, trustBefore, chunking } = workerData as BackupThreadData;
const key = { encrypt: Buffer.from(given.encrypt), macK: Buffer.from(given.macK), macR: Buffer.from(given.macR) };
const syscalls = openSyscalls();
const known = claims(tables);
const blobs = blobWriter({ key, claims: known, level });
const content = contentReader(blobs, syscalls, gearTable(key.encrypt));
const device = deviceSaver(content, syscalls);
const saver = entrySaver({ content, blobs, known, syscalls, trustBefore, chunking });

const countNow = (): BackupCounts => ({
  ...saver.counts,
  bytesRead: saver.counts.bytesRead + device.counts.bytesRead,
  ...blobs.counts,
});
const nothing = { entries: [], entryCounts: { unchanged: 0, bytesUnchanged: 0, skipped: 0 }, ids: [], problems: [] };

function answerTo(job: BackupJob): Omit<BackupAnswer, 'packs' | 'counts'> {
  if (job.do === 'entries') return { ...nothing, ...saver.entries(job) };
  if (job.do === 'content') return { ...nothing, ...saver.content(job) };
  if (job.do === 'device') return { ...nothing, ...device.save(job) };
  if (job.do === 'data') return { ...nothing, ids: [blobs.save(job.bytes, 'data')] };
  return job.do === 'tree' ? { ...nothing, ids: [blobs.save(job.json, 'tree')] } : nothing;
}

const port = parentPort;
port?.on('message', ({ job, tables: more, buffers }: BackupRequest) => {
  tables.push(...more);
  blobs.giveBack(buffers);
  const before = countNow();
  const answer = answerTo(job);
  const packs = job.do === 'flush' ? blobs.takeRest() : blobs.takePacks();
  const after = countNow();
  const counts = {
    filesRead: after.filesRead - before.filesRead,
    bytesRead: after.bytesRead - before.bytesRead,
    newBlobs: after.newBlobs - before.newBlobs,
    bytesAdded: after.bytesAdded - before.bytesAdded,
  };
  port.postMessage(
    { ...answer, packs, counts } satisfies BackupAnswer,
    packs.map(({ buffer }) => buffer),
  );
});
