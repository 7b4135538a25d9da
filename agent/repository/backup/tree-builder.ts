/**
 * Puts directories together while their entries come in, and tells when one is complete. What some entries lack is known later: their
 * texts have a gap until then. A large directory is kept packed: as text, 500,000 entries are 200 MB.
 */
import type { ByteString } from '../../mover/syscalls.ts';
import { treeEnd, treeStart, withContent, withSubtree } from '../format/tree.ts';
import type { TreeText } from './backup-job.ts';
import { type PackedText, packedTree, packText, unpackText } from './packed-tree.ts';

export interface OpenTree {
  /** One or more entries, with commas between them. */
  add(text: string): void;
  /** A directory in it: its head, whose subtree `closeDirectory` tells before or after. */
  addDirectory(name: ByteString, head: string): void;
  /** Its subtree; undefined when it could not be read and is left out. */
  closeDirectory(name: ByteString, subtree: Promise<string | undefined>): void;
  /** A file whose blobs are known later; undefined leaves it out. */
  addFile(head: string, ids: Promise<readonly string[] | undefined>): void;
  /** The whole tree, once everything that was added is known; every directory must have been closed. */
  finish(): Promise<TreeText>;
}

/** Entries of so many characters are joined: a buffer is smaller than many strings. */
const joinAt = 128 * 1024;
/** Of a directory with more text than this everything is packed. */
const packFromBytes = 4 * 1024 * 1024;

interface Part {
  readonly text: Buffer | PackedText;
  readonly gaps: number;
}

export function openTree(): OpenTree {
  const parts: Part[] = [];
  let bytes = 0;
  let recent: string[] = [];
  let recentLength = 0;
  let recentGaps = 0;
  /** What fills the gaps, in their order; undefined leaves the entry out. */
  const missing: (string | undefined)[] = [];
  const awaited = new Set<Promise<void>>();
  /** Directories of which one of two things is known: the gap they are to fill, or their subtree. */
  const half = new Map<ByteString, number | Promise<string | undefined>>();
  let failure: { readonly error: unknown } | undefined;
  const join = () => {
    if (recent.length === 0) return;
    const text = Buffer.from(recent.join());
    bytes += text.length;
    parts.push({ text: bytes > packFromBytes ? packText(text) : text, gaps: recentGaps });
    recent = [];
    recentLength = 0;
    recentGaps = 0;
  };
  const add = (text: string) => {
    recent.push(text);
    recentLength += text.length;
    if (recentLength >= joinAt) join();
  };
  const addWithGap = (text: string): number => {
    recentGaps++;
    add(text);
    return missing.push(undefined) - 1;
  };
  const fillLater = (gap: number, text: Promise<string | undefined>) => {
    const filled = text
      .then((known) => {
        missing[gap] = known;
      })
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => awaited.delete(filled));
    awaited.add(filled);
  };
  return {
    add,
    addDirectory(name, head) {
      const gap = addWithGap(gapBegin + withSubtree(head, gapPlace));
      const subtree = half.get(name);
      half.delete(name);
      if (subtree instanceof Promise) fillLater(gap, subtree);
      else half.set(name, gap);
    },
    closeDirectory(name, subtree) {
      const gap = half.get(name);
      half.delete(name);
      // Who awaits it sees its failure; until then nobody does.
      subtree.catch(() => undefined);
      if (typeof gap === 'number') fillLater(gap, subtree);
      else half.set(name, subtree);
    },
    addFile(head, ids) {
      const gap = addWithGap(gapBegin + withContent(head, [gapPlace]).replace(`"${gapPlace}"`, gapPlace));
      fillLater(
        gap,
        ids.then((known) => known?.map((id) => `"${id}"`).join()),
      );
    },
    async finish() {
      await Promise.all(awaited);
      if (failure !== undefined) throw failure.error;
      // To leave one out that was there would lose it.
      if (half.values().some((one) => typeof one === 'number')) throw new Error('a directory was not closed');
      // Mostly it was never more than this.
      if (parts.length === 0) return { json: treeOf(fillGaps(recent.join(), missing)) };
      join();
      return bytes > packFromBytes
        ? packedTree(textsOf(parts, missing))
        : { json: treeOf([...textsOf(parts, missing)].join()) };
    },
  };
}

/** Without gaps. */
function* textsOf(parts: readonly Part[], missing: readonly (string | undefined)[]): Generator<Part['text']> {
  let gap = 0;
  for (const { text, gaps } of parts) {
    if (gaps === 0) yield text;
    else {
      // Bytes as they are: whatever is no ASCII comes out as it went in.
      const gapped = ('packed' in text ? unpackText(text) : text).toString('latin1');
      const filled = fillGaps(gapped, missing.slice(gap, gap + gaps));
      if (filled !== '') yield Buffer.from(filled, 'latin1');
    }
    gap += gaps;
  }
}

/** What an entry with a gap begins with, and what stands for the gap: no JSON has these bytes. */
const [gapBegin, gapPlace] = ['\0', '\x01'];
/** What comes after a gap: `"}` after a subtree, `]}` after a content. */
const afterGap = 2;

function fillGaps(text: string, missing: readonly (string | undefined)[]): string {
  const [before = '', ...entries] = text.split(gapBegin);
  const filled = [withoutCommas(before)];
  for (const [at, entry] of entries.entries()) {
    const [head = '', rest = ''] = entry.split(gapPlace);
    const known = missing[at];
    if (known !== undefined) filled.push(head + known + rest.slice(0, afterGap));
    filled.push(withoutCommas(rest.slice(afterGap)));
  }
  return filled.filter((one) => one !== '').join();
}

/** Of entries, without what separated them from their neighbours. */
const withoutCommas = (entries: string): string =>
  entries.slice(entries.startsWith(',') ? 1 : 0, entries.endsWith(',') ? -1 : undefined);

/** @param nodes their texts with commas between them */
export function treeOf(nodes: string): Buffer<ArrayBuffer> {
  const text = `${treeStart}${nodes}${treeEnd}`;
  const tree = Buffer.from(new ArrayBuffer(Buffer.byteLength(text)));
  tree.write(text);
  return tree;
}
