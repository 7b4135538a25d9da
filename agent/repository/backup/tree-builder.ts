/**
 * Puts directories together while their entries come in, and tells when one is complete. What some entries lack is known later: their
 * texts have a gap until then. A large directory is kept packed: as text, 500,000 entries are 200 MB.
 */
import type { ByteString } from '../../mover/syscalls.ts';
import { treeEnd, treeStart, withContent, withSubtree } from '../format/tree.ts';
import type { TreeText } from './backup-job.ts';
import { type GapTexts, gapTexts } from './gap-texts.ts';
import { nameQueue } from './name-queue.ts';
import { type PackedText, packedTree, packText, unpackText } from './packed-tree.ts';

export interface OpenTree {
  /** One or more entries, with commas between them. */
  add(text: string): void;
  /** A directory in it: its head, whose subtree `closeDirectory` tells before or after. In the order of names. */
  addDirectory(name: ByteString, head: string): void;
  /** Its subtree; undefined when it could not be read and is left out. In the order of names; those that are not added are nothing. */
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
  const missing = gapTexts();
  const awaited = new Set<Promise<void>>();
  /** Directories whose gap is known, and not their subtree; in a large directory all. */
  const added = nameQueue();
  /** Directories of which only the subtree is known: few, as the walk is not far ahead of the threads. */
  const closed: { readonly name: ByteString; readonly subtree: Promise<string | undefined> }[] = [];
  let isUnclosed = false;
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
    return missing.add();
  };
  const fillLater = (gap: number, text: Promise<string | undefined>) => {
    const filled = text
      .then((known) => {
        missing.set(gap, known);
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
      // What was closed before and is not there is no directory any more.
      while (closed[0] !== undefined && closed[0].name < name) closed.shift();
      // A selected name that isn't there is closed out of order.
      const place = closed.findIndex((one) => one.name === name);
      const subtree = place === -1 ? undefined : closed.splice(place, 1)[0]?.subtree;
      if (subtree === undefined) added.push({ name, word: `${gap}` });
      else fillLater(gap, subtree);
    },
    closeDirectory(name, subtree) {
      // Who awaits it sees its failure; until then nobody does.
      subtree.catch(() => undefined);
      for (; (added.first()?.name ?? name) < name; added.shift()) isUnclosed = true;
      const first = added.first();
      if (first === undefined) closed.push({ name, subtree });
      if (first?.name !== name) return;
      added.shift();
      fillLater(Number(first.word), subtree);
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
      if (isUnclosed || added.first() !== undefined) throw new Error('a directory was not closed');
      // Mostly it was never more than this.
      if (parts.length === 0) return { json: treeOf(fillGaps(recent.join(), missing, 0)) };
      join();
      return bytes > packFromBytes
        ? packedTree(textsOf(parts, missing))
        : { json: treeOf([...textsOf(parts, missing)].join()) };
    },
  };
}

/** Without gaps. */
function* textsOf(parts: readonly Part[], missing: GapTexts): Generator<Part['text']> {
  let gap = 0;
  for (const { text, gaps } of parts) {
    if (gaps === 0) yield text;
    else {
      // Bytes as they are: whatever is no ASCII comes out as it went in.
      const gapped = ('packed' in text ? unpackText(text) : text).toString('latin1');
      const filled = fillGaps(gapped, missing, gap);
      if (filled !== '') yield Buffer.from(filled, 'latin1');
    }
    gap += gaps;
  }
}

/** What an entry with a gap begins with, and what stands for the gap: no JSON has these bytes. */
const [gapBegin, gapPlace] = ['\0', '\x01'];
/** What comes after a gap: `"}` after a subtree, `]}` after a content. */
const afterGap = 2;

/** @param from of the text's first gap */
function fillGaps(text: string, missing: GapTexts, from: number): string {
  const [before = '', ...entries] = text.split(gapBegin);
  const filled = [withoutCommas(before)];
  for (const [at, entry] of entries.entries()) {
    const [head = '', rest = ''] = entry.split(gapPlace);
    const known = missing.get(from + at);
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
