/** Compares names of a directory, in order, with the nodes that the parent snapshot has of it. */
import type { ByteString } from '../../mover/syscalls.ts';
import { unquoteName } from '../format/go-name.ts';
import { formatTime, parseTime } from '../format/go-time.ts';
import { isId } from '../format/object-id.ts';
import { type JsonReader, jsonReader } from '../format/read-json.ts';
import { encodeNodeHead, type NodeStats, readNode, wholeNodes, withContent } from '../format/tree.ts';
import type { ParentNodes } from './backup-job.ts';
import type { Claims } from './claims.ts';

export interface ParentCursor {
  /** How many nodes there are. */
  readonly count: number;
  /** The node of this name; names must be asked for in order. */
  find(name: ByteString): ParentNode | undefined;
}

export interface ParentNode {
  /** Whether what these were read of is as the node says, and the repository still has its content. */
  isUnchanged(stats: NodeStats): boolean;
  /** The node as it was. */
  text(): string;
}

/** @param trustBefore in ns: what changed at or after that may have changed after it was read */
export function parentCursor(
  before: ParentNodes | undefined,
  known: Pick<Claims, 'has'>,
  trustBefore: bigint,
): ParentCursor {
  if (before === undefined) return { count: 0, find: () => undefined };
  const about = `tree ${before.tree ?? '(a part)'}`;
  const nodes = wholeNodes(Buffer.from(before.json.buffer, before.json.byteOffset, before.json.byteLength), about);
  let at = 0;
  let read: JsonReader | undefined;
  let readName = '';
  const look = () => {
    read = at < nodes.length ? jsonReader(nodes[at], about) : undefined;
    readName = read === undefined ? '' : unquoteName(read.text('name', 4096), about);
  };
  look();
  return {
    count: nodes.length,
    find(name) {
      while (read !== undefined && readName < name) {
        at++;
        look();
      }
      return read !== undefined && readName === name ? parentNode(read, known, trustBefore) : undefined;
    },
  };
}

function parentNode(read: JsonReader, known: Pick<Claims, 'has'>, trustBefore: bigint): ParentNode {
  const { about } = read;
  return {
    isUnchanged: (stats) =>
      stats.ctimeNs < trustBefore &&
      stats.mtimeNs < trustBefore &&
      read.optionalText('type', 16) === stats.type &&
      (read.optionalCount('size') ?? 0) === stats.size &&
      (read.optionalWide('inode') ?? 0n) === stats.inode &&
      isTime(read.optionalText('ctime', 64), stats.ctimeNs, about) &&
      isTime(read.optionalText('mtime', 64), stats.mtimeNs, about) &&
      read.texts('content').every((id) => isId(id) && known.has(Buffer.from(id, 'hex'), 'data')),
    text() {
      const node = readNode(read);
      return withContent(encodeNodeHead(node), node.type === 'file' ? node.content : undefined);
    },
  };
}

/** Mostly it is the text that we would write. */
const isTime = (text: string | undefined, ns: bigint, about: string): boolean =>
  text === formatTime(ns) || parseTime(text, about) === ns;
