/** What differs between two restore points, name by name; subtrees with the same id are never read. */
import type { ByteString } from '../../mover/syscalls.ts';
import { encodeNodeHead, type TreeNode } from '../format/tree.ts';
import type { SnapshotTrees } from '../restore/snapshot-trees.ts';

export interface Difference {
  readonly path: ByteString;
  /** `type`: another kind of file. `metadata`: owner, mode, times, attributes only. */
  readonly change: 'added' | 'removed' | 'content' | 'type' | 'metadata';
  readonly isDirectory: boolean;
  /** Of files: on either side; 0 where there is none. */
  readonly sizeBefore: number;
  readonly sizeAfter: number;
}

export async function* diffTrees(
  trees: SnapshotTrees,
  before: string | undefined,
  after: string | undefined,
  path: ByteString = '',
): AsyncGenerator<Difference> {
  if (before === after) return;
  const one = before === undefined ? [] : await trees.nodes(before);
  const other = after === undefined ? [] : await trees.nodes(after);
  // Directories wait until this level's trees are no longer held.
  const inner: {
    readonly path: ByteString;
    readonly before: string | undefined;
    readonly after: string | undefined;
  }[] = [];
  for (const [left, right] of byName(one, other)) {
    const inside = `${path}/${left?.name ?? right?.name ?? ''}`;
    const change = changeOf(left, right);
    if (change !== undefined)
      yield {
        path: inside,
        change,
        isDirectory: (right ?? left)?.type === 'dir',
        sizeBefore: left?.size ?? 0,
        sizeAfter: right?.size ?? 0,
      };
    if (left?.subtree !== right?.subtree) inner.push({ path: inside, before: left?.subtree, after: right?.subtree });
  }
  for (const next of inner) yield* diffTrees(trees, next.before, next.after, next.path);
}

/** Two sorted lists side by side. */
function* byName(
  one: Iterable<TreeNode>,
  other: Iterable<TreeNode>,
): Generator<readonly [TreeNode | undefined, TreeNode | undefined]> {
  const [left, right] = [one[Symbol.iterator](), other[Symbol.iterator]()];
  let [a, b] = [left.next(), right.next()];
  while (a.done !== true || b.done !== true) {
    const [before, after] = [a.done === true ? undefined : a.value, b.done === true ? undefined : b.value];
    const isLeft = after === undefined || (before !== undefined && before.name <= after.name);
    const isRight = before === undefined || (after !== undefined && after.name <= before.name);
    yield [isLeft ? before : undefined, isRight ? after : undefined];
    if (isLeft) a = left.next();
    if (isRight) b = right.next();
  }
}

function changeOf(before: TreeNode | undefined, after: TreeNode | undefined): Difference['change'] | undefined {
  if (before === undefined) return 'added';
  if (after === undefined) return 'removed';
  if (before.type !== after.type) return 'type';
  const isSame = before.content.join() === after.content.join() && before.linkTarget === after.linkTarget;
  if (!isSame || before.device !== after.device) return 'content';
  return headOf(before) === headOf(after) ? undefined : 'metadata';
}

/** What a restore would set: not where the file lay on the disk. */
const headOf = (node: TreeNode): string =>
  encodeNodeHead({ ...node, inode: 0n, deviceId: 0n, ctimeNs: 0n, links: 0, size: 0 });
