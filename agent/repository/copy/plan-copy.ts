/** Which restore points another repository lacks. Pure. */
import { oldestFirst } from '../format/snapshot.ts';
import type { SnapshotDocument } from '../verify/read-roots.ts';
import type { CopiedRoot } from './copy-roots.ts';

export interface CopyPlan {
  /** Of the source, the oldest first. */
  readonly missing: readonly SnapshotDocument[];
  /** Those that are there, as their own copy, as what they were copied from, or as another copy of the same. */
  readonly there: readonly CopiedRoot[];
}

/** @param chosen of the source  @param target all that can be read of the target */
export function planCopy(chosen: readonly SnapshotDocument[], target: readonly SnapshotDocument[]): CopyPlan {
  const copies = new Map(target.map((document) => [identityOf(document), document.id]));
  const missing: SnapshotDocument[] = [];
  const there: CopiedRoot[] = [];
  for (const document of chosen) {
    const to = copies.get(identityOf(document));
    if (to !== undefined) there.push({ from: document.id, to });
    else missing.push(document);
  }
  missing.sort((left, right) => oldestFirst(left.snapshot, right.snapshot));
  return { missing, there };
}

/** What a copy keeps: its first id, as restic records it, and all that `tag` and `rewrite` may change. */
function identityOf({ id, text, snapshot }: SnapshotDocument): string {
  const { original } = JSON.parse(text) as { readonly original?: unknown };
  const { tree, time, tags, paths, hostname } = snapshot;
  const first = typeof original === 'string' ? original : id;
  return JSON.stringify([first, tree, time.getTime(), hostname, [...paths], [...tags].sort()]);
}
