/** Reads back what was restored, from the storage, and compares everything with the snapshot. */
import { closeSync, lstatSync } from 'node:fs';
import { errnoOf } from '../../mover/mover-error.ts';
import type { ByteString } from '../../mover/syscalls.ts';
import { bytesOf, openDirectory, pathIn } from '../directory-fd.ts';
import type { TreeNode } from '../format/tree.ts';
import { childDirectories } from './child-directories.ts';
import { jobBytes, partsOf } from './restore-content.ts';
import type { FileItem } from './restore-job.ts';
import { nodesWithout, type TreeTools } from './restore-tree.ts';
import { savedPlaces } from './saved-places.ts';

interface OpenedDirectory {
  readonly fd: number;
  holds: number;
}

interface Comparison {
  readonly item: FileItem;
  readonly path: ByteString;
  readonly into: OpenedDirectory;
}

const jobNames = 256;

/** Every difference is a problem of kind `different`. */
export async function verifyTree(tools: TreeTools): Promise<void> {
  const { run, trees, root } = tools;
  const topNames = new Set([...(await trees.nodes(run.options.snapshot.tree))].map(({ name }) => name));
  const isSaved = savedPlaces(run.options.snapshot.paths, topNames);
  const work = comparisons(tools);
  const visit = async (tree: string, into: OpenedDirectory, path: ByteString): Promise<void> => {
    run.options.signal.throwIfAborted();
    // What can't be read of it was told when it was to be restored.
    const nodes = () => nodesWithout(trees, tree, () => undefined);
    const children = childDirectories(nodes);
    for (const node of await nodes()) {
      if (node.type === 'dir') children.add(node);
      else if (node.type !== 'irregular' && run.options.filter.isMeant(`${path}/${node.name}`))
        await work.add(node, into, `${path}/${node.name}`);
    }
    for await (const child of children.all()) {
      const inner = `${path}/${child.name}`;
      const choice = run.options.filter.directory(inner);
      if (choice === 'not') continue;
      if (choice !== 'inside' && isSaved(inner)) await work.add(child, into, inner);
      const fd = openOrAbsent(into.fd, child.name);
      if (fd === undefined) continue;
      const opened = { fd, holds: 1 };
      await visit(child.subtree ?? '', opened, inner);
      work.release(opened);
    }
  };
  await visit(tools.tree, { fd: root, holds: 2 }, run.options.from.replace(/\/+$/, ''));
  await work.flush();
  await tools.background.idle();
  tools.background.check();
}

/** Absent ones were told as different, or never made because nothing below is meant. */
function openOrAbsent(directory: number, name: ByteString): number | undefined {
  try {
    return openDirectory(pathIn(directory, name));
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

function comparisons({ run, threads, background, trees }: TreeTools) {
  const { note, tell } = run;
  const inodes = new Map<string, bigint>();
  let waiting: Comparison[] = [];
  let bytes = 0;
  const release = (directory: OpenedDirectory) => {
    directory.holds--;
    if (directory.holds === 0) closeSync(directory.fd);
  };
  const flush = async () => {
    const some = waiting;
    waiting = [];
    bytes = 0;
    if (some.length === 0) return;
    await background.start(async () => {
      const { problems } = await threads.run({ do: 'compare', items: some.map(({ item }) => item) });
      for (const { into } of some) release(into);
      tell('verifying');
      for (const { item, message } of problems) note({ path: some[item]?.path ?? '', kind: 'different', message });
    });
  };
  const isLinkedRight = (node: TreeNode, directory: number): boolean => {
    if (node.links < 2 || node.type === 'dir') return true;
    const key = `${node.deviceId} ${node.inode} ${node.content.join()}`;
    const inode = lstatSync(bytesOf(pathIn(directory, node.name)), { bigint: true, throwIfNoEntry: false })?.ino;
    const first = inodes.get(key);
    if (inode !== undefined && first === undefined) inodes.set(key, inode);
    return first === undefined || first === inode;
  };
  return {
    release,
    flush,
    async add(node: TreeNode, into: OpenedDirectory, path: ByteString): Promise<void> {
      if (!isLinkedRight(node, into.fd))
        note({ path, kind: 'different', message: 'is no hard link of its other names' });
      const pieces = trees.pieces(node);
      const size = pieces.reduce((sum, { length }) => sum + length, 0);
      const parts = size > jobBytes ? partsOf(pieces) : [{ offset: 0, pieces }];
      for (const part of parts) {
        into.holds++;
        const item = { directory: into.fd, node: { ...node, size }, fd: undefined, isNew: false, ...part };
        waiting.push({ item, path, into });
        bytes += part.pieces.reduce((sum, { length }) => sum + length, 0);
        if (waiting.length >= jobNames || bytes >= jobBytes) await flush();
      }
    },
  };
}
