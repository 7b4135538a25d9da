/**
 * Compares names of a directory, in order, with the nodes that the parent snapshot has of it. A file that is as it was is recognized in its
 * node's text where that has the form that we write; any other node is parsed.
 */
import type { ByteString } from '../../mover/syscalls.ts';
import { unquoteName } from '../format/go-name.ts';
import { formatTime, parseTime } from '../format/go-time.ts';
import { isId } from '../format/object-id.ts';
import { type JsonReader, jsonReader } from '../format/read-json.ts';
import { type NodeRange, nextNode, parseNode, startOfNodes } from '../format/split-nodes.ts';
import { encodeNodeHead, type NodeStats, readNode, withContent } from '../format/tree.ts';
import { failDamaged } from '../repository-error.ts';
import type { ParentNodes } from './backup-job.ts';
import type { Claims } from './claims.ts';
import { endOfSameFile, plainNameAt } from './node-text.ts';
import type { QuickLook } from './quick-look.ts';

export interface ParentCursor {
  /** The node of this name, to be compared before the next is asked for; names must be asked for in order. */
  find(name: ByteString): ParentNode | undefined;
  /** Whether all nodes were found. */
  isEveryFound(): boolean;
}

export interface ParentNode {
  /** Whether what these were read of is as the node says, and the repository still has its content. */
  isUnchanged(stats: NodeStats): boolean;
  /** The same of a regular file. False may also mean that only `isUnchanged` can tell. */
  isAsSeen(look: QuickLook): boolean;
  /** The node as it was. */
  text(): string;
}

/** @param trustBefore in ns: what changed at or after that may have changed after it was read */
export function parentCursor(
  before: ParentNodes | undefined,
  known: Pick<Claims, 'has'>,
  trustBefore: bigint,
): ParentCursor {
  const tree = before === undefined ? undefined : parentText(before, known, trustBefore);
  let node = tree?.first();
  let isTaken = false;
  let isEvery = true;
  const advance = () => {
    if (node !== undefined) node = tree?.after(node);
    isTaken = false;
  };
  return {
    find(name) {
      if (isTaken) advance();
      for (; node !== undefined && node.name < name; advance()) isEvery = false;
      isTaken = node?.name === name;
      return isTaken ? node : undefined;
    },
    isEveryFound() {
      if (isTaken) advance();
      return isEvery && node === undefined;
    },
  };
}

interface ParentText {
  /** Its bytes as they are, a character each. */
  readonly text: string;
  readonly json: Buffer;
  readonly about: string;
  readonly known: Pick<Claims, 'has'>;
  readonly trustBefore: bigint;
}

function parentText({ json: bytes, tree }: ParentNodes, known: Pick<Claims, 'has'>, trustBefore: bigint) {
  const json = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const about = `tree ${tree ?? '(a part)'}`;
  const all: ParentText = { text: json.toString('latin1'), json, about, known, trustBefore };
  const nodeAt = (at: number): Node | undefined => {
    const name = plainNameAt(all.text, at);
    if (name !== undefined) return new Node(all, name, at);
    const range = nextNode(json, at);
    if (range === undefined) return failDamaged('A tree is cut short', about);
    if (range === 'none') return undefined;
    const read = jsonReader(parseNode(json.subarray(range.from, range.to), about), about);
    return new Node(all, unquoteName(read.text('name', 4096), about), range.from, range.to, read);
  };
  return {
    first() {
      const start = startOfNodes(json);
      if (start !== undefined) return nodeAt(start);
      // As some write a directory without names.
      return json.length < emptyTreeBytes ? undefined : failDamaged('A tree has no nodes', about);
    },
    after: ({ to }: Node) => nodeAt(all.text[to] === ',' ? to + 1 : to),
  };
}

/** Whatever a writer takes for no nodes. */
export const emptyTreeBytes = 32;

/** A class, as there are many. */
class Node implements ParentNode {
  readonly name: ByteString;
  readonly #tree: ParentText;
  readonly #from: number;
  #to: number | undefined;
  #parsed: JsonReader | undefined;
  #isPlain = false;

  constructor(tree: ParentText, name: ByteString, from: number, to?: number, parsed?: JsonReader) {
    this.name = name;
    this.#tree = tree;
    this.#from = from;
    this.#to = to;
    this.#parsed = parsed;
  }

  /** Where its text ends. */
  get to(): number {
    this.#to ??= this.#findEnd();
    return this.#to;
  }

  #findEnd(): number {
    const { json, about } = this.#tree;
    const range: NodeRange | 'none' | undefined = nextNode(json, this.#from);
    return range === undefined || range === 'none' ? failDamaged('A tree is cut short', about) : range.to;
  }

  get #read(): JsonReader {
    const { json, about } = this.#tree;
    this.#parsed ??= jsonReader(parseNode(json.subarray(this.#from, this.to), about), about);
    return this.#parsed;
  }

  isAsSeen(look: QuickLook): boolean {
    const { text, known } = this.#tree;
    if (this.#parsed !== undefined || !look.isTrusted) return false;
    const end = endOfSameFile(text, { from: this.#from, name: this.name }, look, known);
    if (end === undefined) return false;
    this.#to = end;
    this.#isPlain = true;
    return true;
  }

  isUnchanged(stats: NodeStats): boolean {
    const { about, known, trustBefore } = this.#tree;
    const read = this.#read;
    return (
      stats.ctimeNs < trustBefore &&
      stats.mtimeNs < trustBefore &&
      read.optionalText('type', 16) === stats.type &&
      (read.optionalCount('size') ?? 0) === stats.size &&
      (read.optionalWide('inode') ?? 0n) === stats.inode &&
      isTime(read.optionalText('ctime', 64), stats.ctimeNs, about) &&
      isTime(read.optionalText('mtime', 64), stats.mtimeNs, about) &&
      read.texts('content').every((id) => isId(id) && known.has(Buffer.from(id, 'hex'), 'data'))
    );
  }

  text(): string {
    // It has the form that we write.
    if (this.#isPlain) return this.#tree.json.toString('utf8', this.#from, this.to);
    const node = readNode(this.#read);
    return withContent(encodeNodeHead(node), node.type === 'file' ? node.content : undefined);
  }
}

/** Mostly it is the text that we would write. */
const isTime = (text: string | undefined, ns: bigint, about: string): boolean =>
  text === formatTime(ns) || parseTime(text, about) === ns;
