/** A worker thread of a backup. */
import { parentPort, workerData } from 'node:worker_threads';
import { openSyscalls } from '../../mover/syscalls.ts';
import { pacer } from '../local-limits.ts';
import type {
  BackupAnswer,
  BackupCounts,
  BackupJob,
  BackupReply,
  BackupRequest,
  BackupThreadData,
  TreeText,
  WrittenPack,
} from './backup-job.ts';
import { blobWriter } from './blob-writer.ts';
import { claims } from './claims.ts';
import { gearTable } from './gear-chunker.ts';
import { piecesOf } from './packed-tree.ts';
import { packsAhead } from './packs-ahead.ts';
import { contentReader } from './save-content.ts';
import { deviceSaver } from './save-device.ts';
import { entrySaver } from './save-entries.ts';

const { key: given, tables, level, trustBefore, chunking, limits, ahead } = workerData as BackupThreadData;
const key = { encrypt: Buffer.from(given.encrypt), macK: Buffer.from(given.macK), macR: Buffer.from(given.macR) };
const syscalls = openSyscalls();
const known = claims(tables);
const port = parentPort;
const reply = (message: BackupReply, moved: ArrayBuffer[]) => port?.postMessage(message, moved);
const packs = packsAhead(ahead);
const handOver = (pack: WrittenPack) => {
  packs.begin();
  reply({ pack }, [pack.buffer, pack.entries.buffer]);
  packs.waitForRoom();
};
const blobs = blobWriter({ key, claims: known, level, handOver });
const content = contentReader({ blobs, syscalls, table: gearTable(key.encrypt), pace: pacer(limits) });
const device = deviceSaver(content, syscalls);
const saver = entrySaver({ content, blobs, known, syscalls, trustBefore, chunking });

const countNow = (): BackupCounts => ({
  ...saver.counts,
  bytesRead: saver.counts.bytesRead + device.counts.bytesRead,
  ...blobs.counts,
});
const nothing = { entries: [], entryCounts: { unchanged: 0, bytesUnchanged: 0, skipped: 0 }, ids: [], problems: [] };

const saveTree = (tree: TreeText): string =>
  'json' in tree ? blobs.save(tree.json, 'tree') : blobs.saveTree(() => piecesOf(tree), tree.length);

function answerTo(job: BackupJob): Omit<BackupAnswer, 'counts'> {
  if (job.do === 'entries') return { ...nothing, ...saver.entries(job) };
  if (job.do === 'content') return { ...nothing, ...saver.content(job) };
  if (job.do === 'device') return { ...nothing, ...device.save(job) };
  if (job.do === 'data') return { ...nothing, ids: [blobs.save(job.bytes, 'data')] };
  if (job.do === 'tree') return { ...nothing, ids: [saveTree(job.tree)] };
  blobs.handOverRest();
  return nothing;
}

port?.on('message', ({ job, tables: more }: BackupRequest) => {
  tables.push(...more);
  const before = countNow();
  const answer = answerTo(job);
  const after = countNow();
  const counts = {
    filesRead: after.filesRead - before.filesRead,
    bytesRead: after.bytesRead - before.bytesRead,
    newBlobs: after.newBlobs - before.newBlobs,
    bytesAdded: after.bytesAdded - before.bytesAdded,
  };
  reply({ answer: { ...answer, counts } }, []);
});
