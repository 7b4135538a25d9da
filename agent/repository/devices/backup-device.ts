/**
 * Saves a raw device as a restore point of its own. It has no times to go by: all of it is read, and only blocks that the repository
 * lacks are stored, unless `changed` tells what was written since the parent.
 */
import { type BigIntStats, lstatSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { type ByteString, openSyscalls, type Syscalls } from '../../mover/syscalls.ts';
import { type BackupResult, type CommitOptions, commitTree, type TreeTools } from '../backup/backup.ts';
import type { BackupThreads } from '../backup/backup-threads.ts';
import { partBytes } from '../backup/save-content.ts';
import { nodeStats } from '../backup/save-entries.ts';
import { treeOf } from '../backup/tree-builder.ts';
import { bytesOf } from '../directory-fd.ts';
import { encodeNodeHead, type TreeNode, withContent, withSubtree } from '../format/tree.ts';
import { failRepository } from '../repository-error.ts';
import { type ByteRange, parentDevice, planReads, rangesBySegment } from './changed-blocks.ts';
import {
  blockBytes,
  type DeviceRecord,
  encodeRecord,
  fileOf,
  recordName,
  type Segment,
  segmentBytes,
  segmentsOf,
} from './device-layout.ts';
import { deviceSize, type OpenDevice, openDevice } from './open-device.ts';

export interface DeviceBackupOptions extends Omit<CommitOptions, 'paths'> {
  /** Absolute: a block device, a symlink to one, or a regular file that stands for one. */
  readonly path: ByteString;
  readonly onProgress?: ((bytesRead: number, sizeBytes: number) => void) | undefined;
  /**
   * What may have been written since the parent was taken of the same device, by a driver's word: more than that is no harm, less
   * loses it. Only this is read. All is read when undefined, or without a parent.
   */
  readonly changed?: readonly ByteRange[] | undefined;
  /** For tests. */
  readonly segmentBytes?: number | undefined;
}

export interface DeviceBackupResult extends BackupResult {
  readonly sizeBytes: number;
}

/** Segments that are read at once: threads have work while one ends. */
const segmentsAhead = 2;

/** @throws `DeviceUnreadable`, `DeviceChanged`, `NoDevice`, `DeviceTooLarge`: there is no restore point then */
export async function backupDevice(options: DeviceBackupOptions): Promise<DeviceBackupResult> {
  const syscalls = openSyscalls();
  using device = openDevice(options.path, syscalls);
  const { sizeBytes } = device;
  const record = { sizeBytes, segmentBytes: options.segmentBytes ?? segmentBytes };
  const result = await commitTree({ ...options, paths: [options.path] }, (tools) =>
    saveDevice(options, { device, record, syscalls }, tools),
  );
  return { ...result, sizeBytes };
}

interface Source {
  readonly device: OpenDevice;
  readonly record: DeviceRecord;
  readonly syscalls: Syscalls;
}

async function saveDevice(options: DeviceBackupOptions, source: Source, tools: TreeTools) {
  const { threads } = tools;
  const { path, signal, onProgress } = options;
  const { device, record, syscalls } = source;
  const nodes = deviceNodes(statSync(bytesOf(path), { bigint: true }));
  const saveTree = async (texts: readonly string[]): Promise<string> => {
    const { ids } = await threads.run({ do: 'tree', tree: { json: treeOf(texts.join()) } });
    return ids[0] ?? failRepository('DeviceUnreadable', 'A thread ended without an answer', path);
  };
  const stopped = rejectionOf(signal);
  const known = await unchangedBlocks(options, record, tools);
  let bytesUnchanged = 0;
  const saveSegment = async (segment: Segment): Promise<string> => {
    const { ids: before, reads } = await known(segment);
    // The parts that wait need not be read to the end: their threads are ended.
    const read = Promise.all(reads.map((range) => saveBlocks({ range, path, fd: device.fd }, threads)));
    const ids = [...before];
    for (const [number, blocks] of (await Promise.race([read, stopped])).entries()) {
      const first = ((reads[number]?.offset ?? 0) - segment.offset) / blockBytes;
      for (const [at, id] of blocks.entries()) ids[first + at] = id;
    }
    bytesUnchanged += segment.length - reads.reduce((sum, { length }) => sum + length, 0);
    onProgress?.(threads.counts.bytesRead, record.sizeBytes);
    const subtree = await saveTree([withContent(nodes.file(fileOf(segment), segment.length), ids)]);
    return withSubtree(nodes.directory(segment.name), subtree);
  };
  const segments = segmentsOf(record);
  const texts = await mapLimit(segments, segmentsAhead, saveSegment, signal);
  const change = deviceSize(device.fd, path, device.kind, syscalls) - record.sizeBytes;
  const json = Buffer.from(encodeRecord(record));
  texts.push(withContent(nodes.file(recordName, json.length), await saveData(json, threads)));
  const tree = await saveAbove(path, await saveTree(texts), { nodes, saveTree, syscalls });
  const message = `${change > 0 ? 'grew' : 'shrank'} while it was read: it is saved as large as it was`;
  return {
    tree,
    entries: segments.length,
    unchanged: 0,
    skipped: 0,
    bytesUnchanged,
    problems: change === 0 ? [] : [{ path, kind: 'changed' as const, message }],
    problemCount: change === 0 ? 0 : 1,
    leftOutCount: 0,
  };
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  // Nobody may be waiting when it comes.
  promise.catch(() => undefined);
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  if (signal.aborted) reject(signal.reason);
  return promise;
}

type KnownBlocks = (segment: Segment) => Promise<{
  /** Of the whole segment, or none. */
  readonly ids: readonly string[];
  /** What has to be read: all of it when there are no ids. */
  readonly reads: readonly ByteRange[];
}>;

async function unchangedBlocks(
  { repository, parent, changed, path }: DeviceBackupOptions,
  record: DeviceRecord,
  tools: TreeTools,
): Promise<KnownBlocks> {
  if (parent === undefined || changed === undefined) return async (segment) => ({ ids: [], reads: [segment] });
  const before = await parentDevice(repository, parent, path, tools);
  const ranges = rangesBySegment(changed, record.segmentBytes);
  return async (segment) => {
    const ids = await before.blocksOf(segment);
    const here = ranges.get(segment.offset / record.segmentBytes) ?? [];
    return ids === undefined ? { ids: [], reads: [segment] } : { ids, reads: planReads(segment, here) };
  };
}

/** Ids of a range's blocks. @throws `DeviceUnreadable`, `DeviceChanged` */
async function saveBlocks(
  { range, path, fd }: { readonly range: ByteRange; readonly path: ByteString; readonly fd: number },
  threads: BackupThreads,
): Promise<readonly string[]> {
  const { offset: begin, length: size } = range;
  const parts = Array.from({ length: Math.ceil(size / partBytes) }, (_, part) => {
    const within = part * partBytes;
    return threads.run({ do: 'device', fd, offset: begin + within, length: Math.min(partBytes, size - within) });
  });
  const answers = await Promise.all(parts);
  const [problem] = answers.flatMap(({ problems }) => problems);
  if (problem?.kind === 'changed')
    failRepository('DeviceChanged', `It shrank while it was read: it ${problem.message}`, toText(path));
  if (problem !== undefined)
    failRepository(
      'DeviceUnreadable',
      `Reading failed with ${problem.message}`,
      toText(path),
      'No restore point was made. Look at the kernel log; of a failing disk, save an image that ddrescue made.',
    );
  return answers.flatMap(({ ids }) => ids);
}

async function saveData(bytes: Uint8Array, threads: BackupThreads): Promise<readonly string[]> {
  const { ids } = await threads.run({ do: 'data', bytes });
  return ids;
}

type SaveTree = (texts: readonly string[]) => Promise<string>;

interface AboveTools {
  readonly nodes: ReturnType<typeof deviceNodes>;
  readonly saveTree: SaveTree;
  readonly syscalls: Syscalls;
}

/** The device's directory in the directories that it lies in. @returns the root's tree */
async function saveAbove(path: ByteString, device: string, { nodes, saveTree, syscalls }: AboveTools): Promise<string> {
  let text = withSubtree(nodes.directory(basename(path)), device);
  for (let above = dirname(path); above !== '/'; above = dirname(above)) {
    const stats = nodeStats(lstatSync(bytesOf(above), { bigint: true }));
    const xattrs = syscalls.listXattrs(above);
    const head = encodeNodeHead({ ...stats, name: basename(above), linkTarget: '', xattrs });
    text = withSubtree(head, await saveTree([text]));
  }
  return await saveTree([text]);
}

/** Without times or places: what is equal has to look equal, or no tree would ever be used again. */
function deviceNodes(stats: BigIntStats) {
  const common: Omit<TreeNode, 'name' | 'type' | 'mode' | 'size' | 'content' | 'subtree'> = {
    ...nodeStats(stats),
    mtimeNs: 0n,
    ctimeNs: 0n,
    inode: 0n,
    deviceId: 0n,
    links: 1,
    device: 0n,
    linkTarget: '',
    xattrs: [],
  };
  return {
    file: (name: string, size: number) => encodeNodeHead({ ...common, type: 'file', mode: 0o600, name, size }),
    directory: (name: string) => encodeNodeHead({ ...common, type: 'dir', mode: 0o700, name, size: 0 }),
  };
}

const toText = (path: ByteString): string => bytesOf(path).toString('utf8');
