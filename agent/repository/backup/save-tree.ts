/** Walks the selected directories, keeps the threads busy, and puts their answers together to trees, bottom up. */
import type { ByteString } from '../../mover/syscalls.ts';
import type { PathFilter } from '../select-paths.ts';
import type { BackupProblem } from './backup.ts';
import type { BackupAnswer, Problem, SavedEntry } from './backup-job.ts';
import type { BackupThreads } from './backup-threads.ts';
import type { ParentTree, ParentTrees } from './parent-trees.ts';
import { partBytes } from './save-content.ts';
import { type OpenTree, openTree } from './tree-builder.ts';
import { closeDirectory, type Selection, type WalkStep, walkDirectories } from './walk-directories.ts';

export interface SaveTreeOptions {
  readonly selection: Selection;
  readonly excludes: PathFilter;
  readonly threads: BackupThreads;
  readonly parents: ParentTrees;
  readonly parentTree: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: SaveProgress) => void;
  /** A directory whose list is longer is left out: no reader would take it. */
  readonly treeLimitBytes: number;
}

export interface SaveProgress {
  /** Names seen, of any type. */
  readonly entries: number;
  readonly unchanged: number;
  readonly skipped: number;
  /** Of files that were not read as the parent snapshot has them. */
  readonly bytesUnchanged: number;
}

export interface SavedTree extends SaveProgress {
  readonly tree: string;
  readonly problems: readonly BackupProblem[];
  readonly problemCount: number;
  readonly leftOutCount: number;
}

interface OpenDirectory {
  readonly path: ByteString;
  readonly name: ByteString;
  readonly fd: number;
  readonly before: ParentTree;
  readonly tree: OpenTree;
  readonly up: OpenDirectory | undefined;
  /** Resolves when all names so far are in the tree. */
  named: Promise<void>;
  /** A thread saved all of it. */
  saved?: string | undefined;
}

/** Steps that threads work at or wait for: bounds descriptors and memory. */
const stepsAhead = 16;
const problemLimit = 1000;

export async function saveTree(options: SaveTreeOptions): Promise<SavedTree> {
  const run = treeRun(options);
  let current: OpenDirectory | undefined;
  for (const step of walkDirectories('/', options.selection, options.excludes)) {
    options.signal.throwIfAborted();
    run.throwFailure();
    current = await run.take(step, current);
  }
  return await run.result();
}

function treeRun({ threads, parents, parentTree, onProgress, treeLimitBytes }: SaveTreeOptions) {
  const counts = { entries: 0, unchanged: 0, skipped: 0, bytesUnchanged: 0 };
  const problems: BackupProblem[] = [];
  let problemCount = 0;
  let leftOutCount = 0;
  let root: Promise<string | undefined> = Promise.resolve(undefined);
  let failure: { readonly error: unknown } | undefined;
  const ahead = new Set<Promise<unknown>>();
  const note = (directory: ByteString, { kind, name, message }: Problem) => {
    problemCount++;
    if (kind !== 'changed') leftOutCount++;
    if (problems.length < problemLimit) problems.push({ path: `${directory}/${name}`, kind, message });
  };
  /** Waits until fewer steps are under way, then counts this one. */
  const bounded = async (work: () => Promise<unknown>) => {
    while (ahead.size >= stepsAhead) await Promise.race(ahead);
    const step: Promise<unknown> = work()
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => ahead.delete(step));
    ahead.add(step);
  };
  const saveNames = async (directory: OpenDirectory, step: Extract<WalkStep, { is: 'names' }>) => {
    const { names, isDirectory, isAll, isOnly } = step;
    const { before: parent } = directory;
    const before = isOnly ? parent.all(names, isDirectory.includes(true)) : parent.upTo(names.at(-1) ?? '');
    const earlier = directory.named;
    const answer = threads.run({
      do: 'entries',
      directory: directory.fd,
      path: directory.path,
      names,
      isDirectory,
      isAll,
      before,
    });
    const done = Promise.all([answer, earlier]).then(([{ entries, entryCounts, ids, problems: found }]) => {
      for (const problem of found) note(directory.path, problem);
      for (const entry of entries) addEntry(directory, entry);
      directory.saved = ids[0];
      counts.entries += names.length;
      counts.unchanged += entryCounts.unchanged;
      counts.bytesUnchanged += entryCounts.bytesUnchanged;
      counts.skipped += entryCounts.skipped;
      onProgress(counts);
    });
    directory.named = done;
    await done;
  };
  const addEntry = ({ tree, fd, path }: OpenDirectory, entry: SavedEntry) => {
    if (entry.is === 'nodes') tree.add(entry.text);
    else if (entry.is === 'directory') tree.addDirectory(entry.name, entry.head);
    else
      tree.addFile(
        entry.head,
        saveLarge(threads, fd, entry, {
          onPart: () => onProgress(counts),
          onProblem: (problem) => note(path, problem),
        }),
      );
  };
  const finish = async (directory: OpenDirectory): Promise<string | undefined> => {
    try {
      await directory.named;
      if (directory.saved !== undefined) return directory.saved;
      const tree = await directory.tree.finish();
      if (('json' in tree ? tree.json.length : tree.length) > treeLimitBytes) {
        const message = `has too many entries: their list takes more than ${treeLimitBytes / 1024 / 1024} MiB`;
        note(directory.up?.path ?? '', { kind: 'unreadable', name: directory.name, message });
        return undefined;
      }
      const { ids } = await threads.run({ do: 'tree', tree });
      return ids[0];
    } finally {
      closeDirectory(directory.fd);
    }
  };
  return {
    throwFailure() {
      if (failure !== undefined) throw failure.error;
    },
    async take(step: WalkStep, current: OpenDirectory | undefined): Promise<OpenDirectory | undefined> {
      if (step.is === 'enter') {
        const path = current === undefined ? '' : `${current.path}/${step.name}`;
        const subtree = current === undefined ? parentTree : current.before.subtreeOf(step.name);
        const before = await parents.open(subtree);
        return {
          path,
          before,
          name: step.name,
          fd: step.directory,
          tree: openTree(),
          up: current,
          named: Promise.resolve(),
        };
      }
      if (current === undefined) return undefined;
      if (step.is === 'refused') {
        note(current.path, { kind: 'unreadable', name: step.name, message: step.code });
        current.tree.closeDirectory(step.name, Promise.resolve(undefined));
      } else if (step.is === 'unlistable')
        note(current.up?.path ?? '', { kind: 'unreadable', name: current.name, message: step.code });
      else if (step.is === 'names') await bounded(() => saveNames(current, step));
      else {
        const subtree = Promise.withResolvers<string | undefined>();
        // Its failure is told by `result`, which may end before it comes to this one.
        subtree.promise.catch(() => undefined);
        if (current.up === undefined) root = subtree.promise;
        else current.up.tree.closeDirectory(current.name, subtree.promise);
        await bounded(() =>
          finish(current).then(subtree.resolve, (error: unknown) => {
            subtree.reject(error);
            throw error;
          }),
        );
        return current.up;
      }
      return current;
    },
    async result(): Promise<SavedTree> {
      await Promise.all(ahead);
      if (failure !== undefined) throw failure.error;
      const tree = await root;
      if (tree === undefined) throw new Error('the walk ended without a tree');
      return { ...counts, tree, problems, problemCount, leftOutCount };
    },
  };
}

async function saveLarge(
  threads: BackupThreads,
  directory: number,
  file: Extract<SavedEntry, { is: 'large' }>,
  { onPart, onProblem }: { readonly onPart: () => void; readonly onProblem: (problem: Problem) => void },
): Promise<readonly string[] | undefined> {
  const { name, inode, size, chunking } = file;
  const parts: Promise<BackupAnswer>[] = [];
  for (let offset = 0; offset < size; offset += partBytes) {
    const length = Math.min(partBytes, size - offset);
    const part = threads.run({ do: 'content', directory, name, inode, size, offset, length, chunking });
    parts.push(part.finally(onPart));
  }
  const answers = await Promise.all(parts);
  const found = answers.flatMap(({ problems }) => problems);
  const [first] = found;
  if (first !== undefined) onProblem({ ...first, kind: first.kind === 'changed' ? 'unreadable' : first.kind });
  // A part that is missing would make a file of wrong bytes: leave it out and say so.
  if (found.length > 0) return undefined;
  return answers.flatMap(({ ids }) => ids);
}
