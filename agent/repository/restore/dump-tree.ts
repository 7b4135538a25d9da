/** A directory of a snapshot as a tar archive: a stream that needs the memory of one directory at a time, proven byte for byte. */
import type { ByteString } from '../../mover/syscalls.ts';
import type { TreeNode } from '../format/tree.ts';
import { failDamaged } from '../repository-error.ts';
import { withTreeWindows } from '../tree-windows.ts';
import { childDirectories } from './child-directories.ts';
import { type DumpTools, dumpFile } from './dump.ts';
import { inodeKeyOf } from './hard-links.ts';
import type { SnapshotTrees } from './snapshot-trees.ts';
import { type TarEntry, tarEnd, tarHeader, tarPadding } from './tar-header.ts';

export interface DumpTreeTools extends DumpTools {
  readonly trees: SnapshotTrees;
  /** Of what no archive can hold: sockets. */
  readonly onLeftOut: (path: ByteString, type: TreeNode['type']) => void;
}

/** Small pieces are joined to as much. */
const pieceBytes = 256 * 1024;

/**
 * @param tree a directory's, which has no entry of its own unless `node` is given
 * @param path of that directory in the archive, without a slash at its beginning; '' for names alone
 * @throws as `dumpFile`; then the archive lacks its end
 */
export async function* dumpTree(
  { tree, node, path }: { readonly tree: string; readonly node: TreeNode | undefined; readonly path: ByteString },
  tools: DumpTreeTools,
): AsyncGenerator<Buffer> {
  // Files that were saved one after the other lie so in packs.
  const near = { ...tools, repository: withTreeWindows(tools.repository, tools.locations) };
  yield* joined(archive({ tree, node, path }, near));
}

async function* archive(
  { tree, node, path }: { readonly tree: string; readonly node: TreeNode | undefined; readonly path: ByteString },
  tools: DumpTreeTools,
): AsyncGenerator<Buffer> {
  const state: ArchiveState = { links: firstNames(), isInFile: false };
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
  readonly links: FirstNames;
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
  const pathOf = ({ name }: TreeNode) => (path === '' ? name : `${path}/${name}`);
  // Their trees come when this one's memory is free again.
  const children = childDirectories(() => tools.trees.nodes(tree));
  for (const node of await tools.trees.nodes(tree)) {
    tools.signal?.throwIfAborted();
    if (node.type === 'dir') children.add(node);
    else yield* entry(node, pathOf(node), tools, state);
  }
  for await (const child of children.all()) {
    yield directoryHeader(child, pathOf(child));
    // Its node has one: readNode sees to that.
    if (child.subtree !== undefined) yield* below(child.subtree, pathOf(child), tools, state);
  }
}

const directoryHeader = (node: TreeNode, path: ByteString): Buffer =>
  tarHeader({ ...node, type: 'dir', path, target: '', sizeBytes: 0 });

async function* entry(
  node: TreeNode,
  path: ByteString,
  tools: DumpTreeTools,
  state: ArchiveState,
): AsyncGenerator<Buffer> {
  const { type } = node;
  if (type === 'socket' || type === 'irregular' || type === 'dir') return tools.onLeftOut(path, type);
  const written = { ...node, type, path, target: node.linkTarget, sizeBytes: 0 };
  const first = state.links.firstOf(node, path);
  if (first !== undefined) yield tarHeader({ ...written, type: 'hardlink', target: first, xattrs: [] });
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
  for (const id of node.content)
    if (tools.locations.find(id, 'data') === undefined)
      failDamaged('No index names a blob of the file', `data blob ${id}`);
  const sizeBytes = tools.trees.pieces(node).reduce((sum, { length }) => sum + length, 0);
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

interface FirstNames {
  /** The path that this inode was written under; undefined when it is written now. */
  firstOf(node: TreeNode, path: ByteString): ByteString | undefined;
}

function firstNames(): FirstNames {
  const known = new Map<string, { readonly path: ByteString; remaining: number }>();
  return {
    firstOf(node, path) {
      if (node.links < 2) return undefined;
      const key = inodeKeyOf(node);
      const first = known.get(key);
      if (first === undefined) {
        known.set(key, { path, remaining: node.links - 1 });
        return undefined;
      }
      if (--first.remaining === 0) known.delete(key);
      return first.path;
    },
  };
}

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
