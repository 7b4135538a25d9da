/** Walks a snapshot's trees and has everything in them made: directories at once, contents by the threads, times when all is done. */
import { lstatSync } from 'node:fs';
import { errnoOf } from '../../mover/mover-error.ts';
import type { Background } from '../../mover/pulse.ts';
import type { ByteString, Syscalls } from '../../mover/syscalls.ts';
import type { BlobLocations } from '../blob-locations.ts';
import { bytesOf, pathIn } from '../directory-fd.ts';
import type { TreeNode } from '../format/tree.ts';
import type { Repository } from '../repository.ts';
import { childDirectories } from './child-directories.ts';
import { type HardLinks, hardLinks, makeLink } from './hard-links.ts';
import type { RestoreRun } from './restore.ts';
import { type ContentTools, type FileTask, jobBytes, restoreLarge, restoreSmall } from './restore-content.ts';
import type { ItemProblem, RestoreAnswer } from './restore-job.ts';
import type { RestoreThreads } from './restore-threads.ts';
import { type IsSaved, savedPlaces } from './saved-places.ts';
import type { SnapshotTrees } from './snapshot-trees.ts';
import { type DirectoryTools, directoryIn, type TargetDirectory, targetRoot } from './target-directory.ts';
import { directoryInTheWay } from './write-files.ts';

export interface TreeTools {
  readonly run: RestoreRun;
  readonly repository: Repository;
  readonly locations: BlobLocations;
  readonly trees: SnapshotTrees;
  readonly threads: RestoreThreads;
  readonly background: Background;
  readonly syscalls: Syscalls;
  /** The target. */
  readonly root: number;
  /** Descriptors to close when all ends before its time. */
  readonly opened: Set<number>;
  readonly tree: string;
  /** The node of what becomes the target; undefined for a snapshot's root. */
  readonly node: TreeNode | undefined;
}

/** Names of one job at most. */
const jobNames = 768;

export async function restoreTree(tools: TreeTools): Promise<void> {
  const { run, trees, root, tree, node } = tools;
  const { options } = run;
  const topNames = new Set([...(await trees.nodes(options.snapshot.tree))].map(({ name }) => name));
  const isSaved = savedPlaces(options.snapshot.paths, topNames);
  let failure: { readonly error: unknown } | undefined;
  const directoryTools: DirectoryTools = {
    syscalls: tools.syscalls,
    opened: tools.opened,
    degraded: run.degraded,
    onFailure: (error) => {
      failure ??= { error };
    },
  };
  const path = options.from.replace(/\/+$/, '');
  const top = targetRoot(root, node !== undefined && isSaved(path) ? node : undefined, directoryTools);
  const work = treeWork(tools, isSaved, directoryTools);
  await work.directory(tree, top, path);
  await work.finish();
  if (failure !== undefined) throw failure.error;
}

function treeWork(tools: TreeTools, isSaved: IsSaved, directoryTools: DirectoryTools) {
  const { run, trees, background } = tools;
  const { options, counts, note } = run;
  const { signal, filter } = options;
  const links = hardLinks();
  const entries = entryWork(tools, links);
  const makeChild = async (child: TreeNode, into: TargetDirectory, path: ByteString) => {
    const choice = filter.directory(path);
    if (choice === 'not') return;
    const inner = directoryIn(into, child, isSaved(path), directoryTools);
    try {
      if (choice !== 'inside') {
        inner.open();
        counts.directories++;
      }
    } catch (error) {
      inner.release();
      return note({ path, kind: 'unwritable', message: refusalOrThrow(error) });
    }
    await directory(child.subtree ?? '', inner, path);
  };
  const removeOthers = (into: TargetDirectory, saved: ReadonlySet<ByteString>, path: ByteString) => {
    try {
      into.open();
      counts.removed += into.removeOthers(saved);
    } catch (error) {
      note({ path: `${path}/`, kind: 'unwritable', message: `what was not saved stays: ${refusalOrThrow(error)}` });
    }
  };
  const directory = async (tree: string, into: TargetDirectory, path: ByteString): Promise<void> => {
    signal.throwIfAborted();
    background.check();
    const isCleaned = options.others === 'remove' && isSaved(path) && filter.directory(path) === 'whole';
    const seen = new Set<ByteString>();
    // What can't be read of it is told the first time.
    const children = childDirectories(() => nodesWithout(trees, tree, () => undefined));
    let isWhole = true;
    const onLost = (message: string) => {
      isWhole = false;
      note({ path: `${path}/`, kind: 'lost', message });
    };
    try {
      for (const node of await nodesWithout(trees, tree, onLost)) {
        if (isCleaned) seen.add(node.name);
        // Their trees come when this one's memory is free again.
        if (node.type === 'dir') children.add(node);
        else if (filter.isMeant(`${path}/${node.name}`)) await entries.add(node, into, `${path}/${node.name}`);
      }
      if (isCleaned && isWhole && !into.isNew) removeOthers(into, seen, path);
      for await (const child of children.all()) await makeChild(child, into, `${path}/${child.name}`);
    } finally {
      into.release();
    }
  };
  return { directory, finish: entries.finish };
}

/** The nodes of a tree, to be gone through once; what can't be read of it is told, once. */
export async function nodesWithout(
  trees: SnapshotTrees,
  tree: string,
  onLost: (message: string) => void,
): Promise<Iterable<TreeNode>> {
  try {
    return untilLost(await trees.nodes(tree), onLost);
  } catch (error) {
    tellLost(error, onLost);
    return [];
  }
}

function* untilLost(nodes: Iterable<TreeNode>, onLost: (message: string) => void): Generator<TreeNode> {
  try {
    // Only what reading throws comes here: a consumer's errors end the generator instead.
    yield* nodes;
  } catch (error) {
    tellLost(error, onLost);
  }
}

function tellLost(error: unknown, onLost: (message: string) => void): void {
  if (!(error instanceof Error && 'code' in error && lostCodes.has(String(error.code)))) throw error;
  onLost(`all of the directory: ${error.message}`);
}

const lostCodes: ReadonlySet<string> = new Set(['RepositoryDamaged', 'ObjectMissing', 'ObjectTooShort']);

/** What the kernel refused for one name; anything else is thrown. */
function refusalOrThrow(error: unknown): string {
  const code = errnoOf(error);
  if (code === undefined || code === 'ENOSPC' || code === 'EDQUOT') throw error;
  return code;
}

interface Creation {
  readonly into: TargetDirectory;
  readonly node: TreeNode;
  readonly path: ByteString;
}

/** What other names are linked to; nobody asks when there is none. */
function inodeOf(directory: number, { name, links }: TreeNode): bigint | undefined {
  if (links < 2) return undefined;
  return lstatSync(bytesOf(pathIn(directory, name)), { bigint: true, throwIfNoEntry: false })?.ino;
}

function entryWork(tools: TreeTools, links: HardLinks) {
  const { run, background, threads, trees } = tools;
  const { counts, note, tell, options } = run;
  const wholeTrees = options.others === 'remove' ? 'remove' : 'keep';
  const onAnswer = (answer: RestoreAnswer) => {
    counts.bytesWritten += answer.bytesWritten;
    for (const [kind, count] of Object.entries(answer.degraded)) run.degraded[kind] = (run.degraded[kind] ?? 0) + count;
    tell('restoring');
  };
  const content: ContentTools = { ...tools, wholeTrees, signal: options.signal, degraded: run.degraded, onAnswer };
  let files: FileTask[] = [];
  let bytes = 0;
  let creations: Creation[] = [];
  const alone: Creation[] = [];

  const settled = ({ into, node, path }: Creation, problem: Omit<ItemProblem, 'item'> | undefined, inode?: bigint) => {
    into.release();
    links.settle(node, problem === undefined ? inode : undefined);
    if (problem === undefined) counts.files++;
    else note({ path, kind: problem.kind, message: problem.message });
  };
  const startFiles = async () => {
    const tasks = files;
    files = [];
    bytes = 0;
    if (tasks.length > 0) await background.start(() => restoreSmall(tasks, content));
  };
  const startCreations = async () => {
    const some = creations;
    creations = [];
    if (some.length === 0) return;
    const items = some.map(({ into, node }) => ({ directory: into.open(), node }));
    await background.start(async () => {
      const answer = await threads.run({ do: 'create', items, wholeTrees }).catch((error: unknown) => {
        for (const { node } of some) links.settle(node, undefined);
        throw error;
      });
      onAnswer(answer);
      const problems = new Map(answer.problems.map((problem) => [problem.item, problem]));
      for (const [at, one] of some.entries())
        settled(one, problems.get(at), inodeOf(items[at]?.directory ?? -1, one.node));
    });
  };
  const addFile = async (creation: Creation) => {
    const { into, path } = creation;
    const pieces = trees.pieces(creation.node);
    const size = pieces.reduce((sum, { length }) => sum + length, 0);
    const isLost = pieces.some(({ length }) => length === 0);
    if (size !== creation.node.size && !isLost)
      note({ path, kind: 'lost', message: `its entry says ${creation.node.size} bytes, its content has ${size}` });
    // Threads get its pieces.
    const node = { ...creation.node, size, content: [] };
    let countedBytes = 0;
    const count = (partBytes: number) => {
      countedBytes += partBytes;
      counts.bytes += partBytes;
      tell('restoring');
    };
    const done: FileTask['done'] = (outcome) => {
      counts.bytes += size - countedBytes;
      if ('problem' in outcome) settled(creation, outcome.problem);
      else settled(creation, undefined, outcome.inode);
    };
    const task = { into, node, pieces, count, done, abandon: () => links.settle(creation.node, undefined) };
    if (size > jobBytes && !isLost) return await restoreLarge(task, content);
    if (bytes + size > jobBytes) await startFiles();
    files.push(task);
    bytes += size;
    if (files.length >= jobNames || bytes >= jobBytes) await startFiles();
  };
  const addAny = async (creation: Creation) => {
    if (creation.node.type === 'file') return await addFile(creation);
    creations.push(creation);
    if (creations.length >= jobNames) await startCreations();
  };
  /** Waits beside the walk, which may hold the first name still. */
  const addLink = (creation: Creation, first: NonNullable<ReturnType<HardLinks['firstOf']>>) => {
    const { into, node } = creation;
    background.inOrder(async () => {
      const inode = await first.inode;
      // Without the first name this one gets the content.
      if (inode === undefined) return void alone.push(creation);
      try {
        const isMade = makeLink(tools.root, first, { directory: into.open(), name: node.name, inode }, wholeTrees);
        settled(creation, isMade ? undefined : { kind: 'unwritable', message: directoryInTheWay });
      } catch (error) {
        settled(creation, { kind: 'unwritable', message: refusalOrThrow(error) });
      }
    });
  };
  return {
    async add(node: TreeNode, into: TargetDirectory, path: ByteString): Promise<void> {
      if (node.type === 'irregular')
        return note({ path, kind: 'unwritable', message: 'this system has no such kind of file' });
      try {
        into.open();
      } catch (error) {
        return note({ path, kind: 'unwritable', message: refusalOrThrow(error) });
      }
      into.hold();
      const first = links.firstOf(node, into.parts);
      if (first === undefined) await addAny({ into, node, path });
      else addLink({ into, node, path }, first);
    },
    /** Everything that was added is made. */
    async finish() {
      await startFiles();
      await startCreations();
      await background.idle();
      background.check();
      for (const creation of alone) await addAny(creation);
      await startFiles();
      await startCreations();
      await background.idle();
      background.check();
    },
  };
}
