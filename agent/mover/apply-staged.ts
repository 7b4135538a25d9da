/**
 * Applies a staged plan to its volume. Idempotent: a crash at any instant is answered by carrying out the whole plan again;
 * nothing but the staging directory is needed.
 */
import type { RunKey } from './content-hash.ts';
import type { WorkerPool } from './job.ts';
import { segmentLength } from './layout.ts';
import { fail } from './mover-error.ts';
import type { CountProgress } from './phase-progress.ts';
import { decodeOperation, type Operation } from './plan.ts';
import { openRecordCursor, openRecordReader } from './record-file.ts';
import { decodeBlob, stagingFiles } from './staging.ts';
import type { ByteString } from './syscalls.ts';
import { type VolumeWriter, volumeWriter } from './volume-writer.ts';
import { recordWrittenBlocks, type WrittenBlocks, type WrittenBlocksRecorder } from './written-blocks.ts';

export interface ApplyOptions {
  readonly root: ByteString;
  /** Of the volume's staging. */
  readonly directory: string;
  readonly pool: WorkerPool;
  readonly key: RunKey;
  readonly signal: AbortSignal;
  readonly onProgress: CountProgress;
}

export interface Applied extends Pick<VolumeWriter, 'degraded' | 'refused'> {
  readonly written: WrittenBlocks;
}

/** Resolves with what could not be set, and where was written. */
export async function applyStaged({ root, directory, pool, key, signal, onProgress }: ApplyOptions): Promise<Applied> {
  const files = stagingFiles(directory);
  const plan = openRecordCursor(files.plan);
  const blobs = openRecordReader(files.blobs);
  const writer = volumeWriter(root, pool, { key, check: 'First' });
  const written = recordWrittenBlocks();
  // Writes of one blob go together, so that it is unpacked once.
  let writes: WriteOperation[] = [];
  const flushWrites = async () => {
    if (writes.length === 0) return;
    const together = writes;
    writes = [];
    await startWrites(together, blobs, { writer, written });
    onProgress({ files: 0, bytes: sumLengths(together) });
  };
  try {
    for (let next = plan.next(); next !== undefined; next = plan.next()) {
      signal.throwIfAborted();
      const operation = decodeOperation(next.record);
      if (operation.do !== 'write' || operation.placement.record !== writes[0]?.placement.record) await flushWrites();
      if (operation.do === 'write') writes.push(operation);
      else await apply(operation, writer);
      if ('entry' in operation) onProgress({ files: 1, bytes: 0 });
    }
    await flushWrites();
    await writer.flush();
    return { degraded: writer.degraded, refused: writer.refused, written };
  } finally {
    plan.close();
    blobs.close();
  }
}

type WriteOperation = Extract<Operation, { readonly do: 'write' }>;

const sumLengths = (writes: readonly WriteOperation[]): number =>
  writes.reduce((sum, { target }) => sum + segmentLength(target.size, target.segment), 0);

async function startWrites(
  writes: readonly WriteOperation[],
  blobs: { read(offset: number): Buffer },
  { writer, written }: { readonly writer: VolumeWriter; readonly written: WrittenBlocksRecorder },
): Promise<void> {
  const record = writes[0]?.placement.record ?? 0;
  const { parts, payload, compressed, rawLength } = decodeBlob(blobs.read(record));
  const targets = writes.map(({ target, placement }) => {
    const part = parts[placement.part] ?? fail('StagingDamaged', 'The plan names content that staging lacks');
    return { ...target, ...part };
  });
  for (const { path, segment, states } of targets) written.add(path, segment, states);
  await writer.startPut({ parts: targets, payload, compressed, rawLength });
}

async function apply(operation: Exclude<Operation, WriteOperation>, writer: VolumeWriter): Promise<void> {
  switch (operation.do) {
    case 'remove':
      return writer.remove(operation.path);
    case 'makeDirectory':
      return writer.makeDirectory(operation.path);
    case 'create':
      return await writer.create(operation.entry);
    case 'link':
      return await writer.link(operation.entry);
    case 'finish':
      return await writer.finish(operation.entry);
    default:
      return operation satisfies never;
  }
}
