/** A raw device as a restore point has it: found, and held against what its `device.json` says. */
import type { ByteString } from '../../mover/syscalls.ts';
import { bytesOf } from '../directory-fd.ts';
import type { TreeNode } from '../format/tree.ts';
import { failDamaged, failRepository } from '../repository-error.ts';
import { dumpFile } from '../restore/dump.ts';
import type { Piece } from '../restore/restore-job.ts';
import type { SnapshotTools, SnapshotTrees } from '../restore/snapshot-trees.ts';
import {
  blockBytes,
  type DeviceRecord,
  fileOf,
  parseRecord,
  recordLimitBytes,
  recordName,
  type Segment,
  segmentsOf,
} from './device-layout.ts';

export interface StoredDevice {
  readonly path: ByteString;
  readonly record: DeviceRecord;
  readonly segments: readonly StoredSegment[];
}

export interface StoredSegment extends Segment {
  /** Of its directory. */
  readonly subtree: string;
}

/** Whether a directory of a restore point is a raw device. */
export const isDevice = async (trees: SnapshotTrees, subtree: string): Promise<boolean> =>
  [...(await trees.nodes(subtree))].some(isRecord);

const isRecord = ({ name, type }: TreeNode): boolean => name === recordName && type === 'file';

/**
 * @param path of the directory that stands for it
 * @throws `PathMissing`, `NoDevice`, `RepositoryDamaged` when segments are missing, too many or of the wrong size
 */
export async function openStoredDevice(tools: SnapshotTools, root: string, path: ByteString): Promise<StoredDevice> {
  const { trees } = tools;
  const shown = bytesOf(path).toString('utf8');
  const found = await trees.find(root, path);
  const nodes = found?.subtree === undefined ? [] : [...(await trees.nodes(found.subtree))];
  const node = nodes.find(isRecord);
  if (node === undefined)
    return failRepository(
      'NoDevice',
      'That is no raw device: a directory with device.json and segments, as `backup --raw-device` makes it',
      shown,
      'Restore it with --target.',
    );
  const record = await readRecord(node, `${shown}/${recordName}`, tools);
  const segments = segmentsOf(record);
  const expected = new Set(segments.map(({ name }) => name));
  for (const { name } of nodes)
    if (/^\d{8}$/.test(name) && !expected.has(name))
      failDamaged(`The device has segment ${name}, which lies behind its ${record.sizeBytes} bytes`, shown);
  const subtrees = new Map(nodes.map(({ name, subtree }) => [name, subtree]));
  const stored = segments.map((segment) => ({
    ...segment,
    subtree: subtrees.get(segment.name) ?? failDamaged(`Segment ${segment.name} of the device is missing`, shown),
  }));
  return { path, record, segments: stored };
}

async function readRecord(node: TreeNode, about: string, tools: SnapshotTools): Promise<DeviceRecord> {
  if (node.size > recordLimitBytes) failDamaged(`It is longer than ${recordLimitBytes} bytes`, about);
  const bytes = await Array.fromAsync(dumpFile(tools.repository, tools.locations, node, tools.signal));
  return parseRecord(Buffer.concat(bytes), about);
}

/**
 * A segment's blobs, in order. Other tools may have cut it anew; what the repository has lost still has its place in blocks of ours.
 * @throws `RepositoryDamaged`
 */
export async function piecesOf(segment: StoredSegment, trees: SnapshotTrees): Promise<readonly Piece[]> {
  const { length, subtree } = segment;
  const name = fileOf(segment);
  const node = [...(await trees.nodes(subtree))].find((one) => one.name === name && one.type === 'file');
  if (node === undefined) return failDamaged('A segment of the device is missing', name);
  const pieces = placed(trees.pieces(node), length, name);
  const sum = pieces.reduce((total, piece) => total + piece.length, 0);
  if (sum !== length || node.size !== length)
    failDamaged(`A segment of the device has ${sum} bytes, not ${length}`, name);
  return pieces;
}

function placed(pieces: readonly Piece[], length: number, name: string): readonly Piece[] {
  if (pieces.every((piece) => piece.length > 0)) return pieces;
  if (pieces.length !== Math.ceil(length / blockBytes))
    failDamaged('Blobs of a segment are lost, and nobody knows how long they were', name);
  return pieces.map(({ id }, block) => ({ id, length: Math.min(blockBytes, length - block * blockBytes) }));
}
