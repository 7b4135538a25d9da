/** Names of one inode: the first gets the content, the others are linked to it once it is there. */
import { closeSync, linkSync, lstatSync } from 'node:fs';
import type { ByteString } from '../../mover/syscalls.ts';
import { bytesOf, clearName, pathIn } from '../directory-fd.ts';
import { idOf } from '../format/object-id.ts';
import type { TreeNode } from '../format/tree.ts';
import { reopen } from './target-directory.ts';

export interface FirstName {
  readonly parts: readonly ByteString[];
  readonly name: ByteString;
  /** The restored inode; undefined when it could not be restored. */
  readonly inode: Promise<bigint | undefined>;
  readonly settle: (inode: bigint | undefined) => void;
}

export interface HardLinks {
  /** The first name of this node's inode, or undefined when this is it. */
  firstOf(node: TreeNode, parts: readonly ByteString[]): FirstName | undefined;
  /** Of a node that `firstOf` made the first. */
  settle(node: TreeNode, inode: bigint | undefined): void;
}

export function hardLinks(): HardLinks {
  const known = new Map<string, FirstName & { remaining: number }>();
  return {
    firstOf(node, parts) {
      if (node.links < 2) return undefined;
      const key = keyOf(node);
      const first = known.get(key);
      if (first === undefined) {
        const { promise, resolve } = Promise.withResolvers<bigint | undefined>();
        known.set(key, { parts, name: node.name, inode: promise, settle: resolve, remaining: node.links - 1 });
        return undefined;
      }
      first.remaining--;
      return first;
    },
    settle(node, inode) {
      if (node.links < 2) return;
      const key = keyOf(node);
      const first = known.get(key);
      first?.settle(inode);
      if (first !== undefined && first.remaining <= 0) known.delete(key);
    },
  };
}

/** Names that were read at different times may show different content: those are files of their own. */
const keyOf = (node: TreeNode): string =>
  `${node.deviceId} ${node.inode} ${node.type} ${node.content.length > 2 ? idOf(Buffer.from(node.content.join())) : node.content.join()}`;

/** False when a directory that must be kept is in its place. Throws what the kernel throws. */
export function makeLink(
  root: number,
  first: Pick<FirstName, 'parts' | 'name'>,
  to: { readonly directory: number; readonly name: ByteString; readonly inode: bigint },
  wholeTrees: 'remove' | 'keep',
): boolean {
  const path = bytesOf(pathIn(to.directory, to.name));
  const present = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (present?.ino === to.inode) return true;
  if (!clearName(to.directory, to.name, wholeTrees)) return false;
  const directory = reopen(root, first.parts);
  try {
    linkSync(bytesOf(pathIn(directory, first.name)), path);
  } finally {
    closeSync(directory);
  }
  // Somebody may have put another file there: it must not get a second name through us.
  if (lstatSync(path, { bigint: true }).ino === to.inode) return true;
  clearName(to.directory, to.name, 'keep');
  throw Object.assign(new Error('the first name leads elsewhere'), { code: 'ENOENT' });
}
