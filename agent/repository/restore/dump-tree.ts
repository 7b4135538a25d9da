/** A directory of a snapshot as a tar archive: a stream that needs the memory of one directory at a time, proven byte for byte. */
import type { ByteString } from '../../mover/syscalls.ts';
import type { TreeNode } from '../format/tree.ts';
import { failDamaged } from '../repository-error.ts';
import { withTreeWindows } from '../tree-windows.ts';
import { childDirectories } from './child-directories.ts';
import { contentBlob, dumpFile } from './dump.ts';
import { type HardLinks, hardLinks } from './hard-links.ts';
import { contentLength, type SnapshotTools } from './snapshot-trees.ts';
import { type TarEntry, tarEnd, tarHeader, tarPadding } from './tar-header.ts';

export interface DumpTreeTools extends SnapshotTools {
  /** Of what no archive can hold: sockets. */
  readonly onLeftOut: (path: ByteString, type: TreeNode['type']) => void;
}

/** A directory, and how the archive names it. */
export interface DumpedDirectory {
  readonly tree: string;
  /** Undefined: it has no entry of its own. */
  readonly node: TreeNode | undefined;
  /** Without a slash at its beginning; '' for names alone. */
  readonly path: ByteString;
}

/** Small pieces are joined to as much. */
const pieceBytes = 256 * 1024;

/** @throws as `dumpFile`; then the archive lacks its end */
export async function* dumpTree(directory: DumpedDirectory, tools: DumpTreeTools): AsyncGenerator<Buffer> {
  // Files that were saved one after the other lie so in packs.
  const near = { ...tools, repository: withTreeWindows(tools.repository, tools.locations) };
  yield* joined(archive(directory, near));
}

async function* archive({ tree, node, path }: DumpedDirectory, tools: DumpTreeTools): AsyncGenerator<Buffer> {
  const state: ArchiveState = { links: hardLinks(), isInFile: false };
  try {
    if (node !== undefined && path !== '') yield directoryHeader(node, path);
    yield* below(tree, path, tools, state);
  } catch (error) {
    // What ends between two entries is a whole archive to GNU tar. Within a file more bytes could be taken for its content.
    if (!state.isInFile) yield tarHeader(brokenOff);
    throw error;
  }
  yield tarEnd();
}

interface ArchiveState {
  readonly links: HardLinks;
  /** A header was given whose content isn't complete. */
  isInFile: boolean;
}

/** Announces content that never comes, so that who unpacks the archive fails, too. */
const brokenOff: TarEntry = {
  ...{ path: '.stork-dump-failed', type: 'file', mode: 0, uid: 0, gid: 0, mtimeNs: 0n },
  ...{ sizeBytes: 1, target: '', device: 0n, xattrs: [] },
};

async function* below(
  tree: string,
  path: ByteString,
  tools: DumpTreeTools,
  state: ArchiveState,
): AsyncGenerator<Buffer> {
  // Their trees come when this one's memory is free again.
  const children = childDirectories(() => tools.trees.nodes(tree));
  for (const node of await tools.trees.nodes(tree)) {
    tools.signal?.throwIfAborted();
    if (node.type === 'dir') children.add(node);
    else yield* entry(node, path, tools, state);
  }
  for await (const child of children.all()) {
    const inside = pathIn(path, child);
    yield directoryHeader(child, inside);
    // Its node has one: readNode sees to that.
    if (child.subtree !== undefined) yield* below(child.subtree, inside, tools, state);
  }
}

const pathIn = (directory: ByteString, { name }: { readonly name: ByteString }): ByteString =>
  directory === '' ? name : `${directory}/${name}`;

const directoryHeader = (node: TreeNode, path: ByteString): Buffer =>
  tarHeader({ ...node, type: 'dir', path, target: '', sizeBytes: 0 });

async function* entry(
  node: TreeNode,
  directory: ByteString,
  tools: DumpTreeTools,
  state: ArchiveState,
): AsyncGenerator<Buffer> {
  const { type } = node;
  const path = pathIn(directory, node);
  if (type === 'socket' || type === 'irregular' || type === 'dir') return tools.onLeftOut(path, type);
  const written = { ...node, type, path, target: node.linkTarget, sizeBytes: 0 };
  const first = state.links.firstOf(node, [directory]);
  if (first !== undefined)
    yield tarHeader({ ...written, type: 'hardlink', target: pathIn(first.parts.join('/'), first), xattrs: [] });
  else if (type === 'file') yield* file(node, written, tools, state);
  else yield tarHeader(written);
}

async function* file(
  node: TreeNode,
  entry: TarEntry,
  tools: DumpTreeTools,
  state: ArchiveState,
): AsyncGenerator<Buffer> {
  // Before the header, which says how much will come.
  const sizeBytes = node.content.reduce((sum, id) => sum + contentLength(contentBlob(tools.locations, id)), 0);
  state.isInFile = true;
  yield tarHeader({ ...entry, sizeBytes });
  let written = 0;
  for await (const bytes of dumpFile(tools.repository, tools.locations, node, tools.signal)) {
    written += bytes.length;
    yield bytes;
  }
  if (written !== sizeBytes) failDamaged('A file has not the length that the index says', toText(entry.path));
  yield tarPadding(sizeBytes);
  state.isInFile = false;
}

const toText = (path: ByteString): string => Buffer.from(path, 'latin1').toString();

async function* joined(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of pieces) {
      held.push(piece);
      bytes += piece.length;
      if (bytes < pieceBytes) continue;
      yield Buffer.concat(held);
      held = [];
      bytes = 0;
    }
  } catch (error) {
    // With the header of what failed.
    yield Buffer.concat(held);
    throw error;
  }
  if (bytes > 0) yield Buffer.concat(held);
}
