/** Which restore points another repository lacks. Pure. */
import { parseSnapshot, type Snapshot } from '../format/snapshot.ts';
import type { CopiedRoot, RootDocument } from './copy-roots.ts';

export interface ToCopy {
  /** In the source. */
  readonly id: string;
  readonly text: string;
  readonly snapshot: Snapshot;
}

export interface CopyPlan {
  /** The oldest first. */
  readonly missing: readonly ToCopy[];
  /** Those that are there, as their own copy, as what they were copied from, or as another copy of the same. */
  readonly there: readonly CopiedRoot[];
}

/** @param chosen of the source  @param target all that can be read of the target */
export function planCopy(chosen: readonly RootDocument[], target: readonly RootDocument[]): CopyPlan {
  const copies = new Map(target.map((document) => [identityOf(document), document.id]));
  const missing: ToCopy[] = [];
  const there: CopiedRoot[] = [];
  for (const document of chosen) {
    const to = copies.get(identityOf(document));
    if (to !== undefined) there.push({ from: document.id, to });
    else missing.push({ ...document, snapshot: parse(document) });
  }
  missing.sort((left, right) => timeOf(left) - timeOf(right) || (left.id < right.id ? -1 : 1));
  return { missing, there };
}

const timeOf = ({ snapshot }: ToCopy): number => snapshot.time.getTime();

const parse = ({ id, text }: RootDocument): Snapshot => parseSnapshot(Buffer.from(text), `snapshots/${id}`);

/** What a copy keeps: its first id, as restic records it, and all that `tag` and `rewrite` may change. */
function identityOf(document: RootDocument): string {
  const { original } = JSON.parse(document.text) as { readonly original?: unknown };
  const { tree, time, tags, paths, hostname } = parse(document);
  const first = typeof original === 'string' ? original : document.id;
  return JSON.stringify([first, tree, time.getTime(), hostname, [...paths], [...tags].sort()]);
}
