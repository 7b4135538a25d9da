/** What a tree file says of the tree in it. It may come from outside (an agent's store), so it passes a schema. */
import { runKeyBytes } from './content-hash.ts';
import { count, objectOf, treeOf } from './control-message.ts';
import { fail } from './mover-error.ts';
import type { TreeDigest } from './tree-digest.ts';

export interface TreeSummary {
  readonly format: typeof treeFormat;
  /** Of the file system and the directory that was scanned: a tree of another volume is never taken for this one. */
  readonly identity: string;
  /** The run's key, in hex, that its hashes are under: they can be compared under the same key only. */
  readonly key: string;
  /** The digest of exactly these records; null when what was sent is known to differ from them. */
  readonly tree: TreeDigest | null;
  /** The root's inode and change time, where they changed after it was recorded. */
  readonly root: { readonly inode: string; readonly changedNs: string } | null;
  /** When everything was read the last time, in ms since 1970; how many trees since were made with the help of one before. */
  readonly fullMs: number;
  readonly sinceFull: number;
}

export const treeFormat = 'stork-tree-file-4';

const summaryLimitBytes = 64 * 1024;
const identityLimit = 1024;

export function parseTreeSummary(bytes: Buffer): TreeSummary {
  if (bytes.length > summaryLimitBytes) fail('CacheDamaged', 'The summary of a tree file is too large');
  const fields = objectOf(JSON.parse(bytes.toString('utf8')));
  const { format, identity, key } = fields;
  if (format !== treeFormat) return fail('CacheDamaged', 'A tree file is of another format');
  if (typeof identity !== 'string' || identity.length > identityLimit)
    return fail('CacheDamaged', 'A tree file names no volume');
  if (typeof key !== 'string' || key.length !== runKeyBytes * 2 || !/^[0-9a-f]+$/.test(key))
    return fail('CacheDamaged', 'A tree file names no key');
  return {
    format: treeFormat,
    identity,
    key,
    tree: fields.tree === null ? null : treeOf(objectOf(fields.tree)),
    root: fields.root === null ? null : rootOf(fields.root),
    fullMs: count(fields.fullMs),
    sinceFull: count(fields.sinceFull),
  };
}

function rootOf(value: unknown): NonNullable<TreeSummary['root']> {
  const { inode, changedNs } = objectOf(value);
  return { inode: decimalOf(inode), changedNs: decimalOf(changedNs) };
}

const decimalOf = (value: unknown): string =>
  typeof value === 'string' && /^-?[0-9]{1,20}$/.test(value)
    ? value
    : fail('CacheDamaged', 'A tree file lacks the times of its root');
