/**
 * The target's directories while things are made in them: opened when something is to be made, finished (times last) and closed when
 * nothing will be any more.
 */
import { closeSync } from 'node:fs';
import type { Degraded } from '../../mover/settle.ts';
import type { ByteString, Syscalls } from '../../mover/syscalls.ts';
import { listIn, openDirectory, pathIn, removeIn } from '../directory-fd.ts';
import type { TreeNode } from '../format/tree.ts';
import { finishDirectory, makeDirectory } from './write-names.ts';

export interface TargetDirectory {
  /** Relative to the target, its parts; none for the target itself. */
  readonly parts: readonly ByteString[];
  /** Makes and opens it when that hasn't happened. Throws what the kernel throws. */
  open(): number;
  /** Made by us: nothing was in it before. Known once it is open. */
  readonly isNew: boolean;
  /** Somebody works in it; `release` when done. */
  hold(): void;
  release(): void;
  /** Removes every name that isn't among these; how many. */
  removeOthers(keep: ReadonlySet<ByteString>): number;
}

export interface DirectoryTools {
  readonly syscalls: Syscalls;
  readonly degraded: Degraded;
  /** Descriptors to close when all ends before its time. */
  readonly opened: Set<number>;
  /** What finishing it threw. */
  readonly onFailure: (error: unknown) => void;
}

/** @param node sets the target's own metadata; undefined leaves it */
export function targetRoot(fd: number, node: TreeNode | undefined, tools: DirectoryTools): TargetDirectory {
  return targetDirectory({ fd, isNew: false }, { parts: [], node, up: undefined, isOurs: node !== undefined }, tools);
}

interface Place {
  readonly parts: readonly ByteString[];
  readonly node: TreeNode | undefined;
  readonly up: TargetDirectory | undefined;
  /** Part of what was saved, not only on the way there: a directory of that name gets its metadata, another kind of file gives way. */
  readonly isOurs: boolean;
}

export function directoryIn(
  up: TargetDirectory,
  node: TreeNode,
  isOurs: boolean,
  tools: DirectoryTools,
): TargetDirectory {
  up.hold();
  return targetDirectory(undefined, { parts: [...up.parts, node.name], node, up, isOurs }, tools);
}

function targetDirectory(
  given: { readonly fd: number; readonly isNew: boolean } | undefined,
  { parts, node, up, isOurs }: Place,
  tools: DirectoryTools,
): TargetDirectory {
  let opened = given;
  let holds = 1;
  const finish = () => {
    try {
      if (opened !== undefined) {
        const { fd, isNew } = opened;
        if (node !== undefined && (isNew || isOurs)) finishDirectory(fd, node, tools.syscalls, tools.degraded);
        // The target itself stays open for what comes after.
        if (up !== undefined) closeSync(fd);
        tools.opened.delete(fd);
      }
    } catch (error) {
      tools.onFailure(error);
    } finally {
      up?.release();
    }
  };
  return {
    parts,
    open() {
      if (opened === undefined && up !== undefined && node !== undefined) {
        opened = makeDirectory(up.open(), node.name, isOurs ? 'replace' : 'refuse');
        tools.opened.add(opened.fd);
      }
      return opened?.fd ?? -1;
    },
    get isNew() {
      return opened?.isNew ?? false;
    },
    hold: () => void holds++,
    release() {
      holds--;
      if (holds === 0) finish();
    },
    removeOthers(keep) {
      if (opened === undefined) return 0;
      const { fd } = opened;
      const others = listIn(fd).filter(({ name }) => !keep.has(name) && !(parts.length === 0 && name === 'lost+found'));
      for (const { name } of others) removeIn(fd, name);
      return others.length;
    },
  };
}

/** A directory of the target again, by its parts; never through a symlink. */
export function reopen(root: number, parts: readonly ByteString[]): number {
  let fd = openDirectory(`/proc/self/fd/${root}/.`);
  for (const part of parts) {
    try {
      const next = openDirectory(pathIn(fd, part));
      closeSync(fd);
      fd = next;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }
  return fd;
}
