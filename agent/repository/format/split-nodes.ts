/** Cuts a large tree's JSON into its nodes by counting brackets outside of strings, and parses each by itself. */
import { failDamaged } from '../repository-error.ts';
import { exactNumbers, refuseSwarm } from './read-json.ts';

const [quote, backslash, open, close] = [0x22, 0x5c, 0x7b, 0x7d];
const nodesField = '"nodes":[';
/** How far in a tree its nodes may begin. */
const nodesWithin = 64;

export interface NodeRange {
  readonly from: number;
  readonly to: number;
}

export function* splitNodes(json: Buffer, about: string): Generator<unknown> {
  for (const { from, to } of nodeRanges(json, about)) yield parseNode(json.subarray(from, to), about);
}

/** Where each node's text begins and ends. */
export function* nodeRanges(json: Buffer, about: string): Generator<NodeRange> {
  const begin = startOfNodes(json);
  if (begin === undefined) return failDamaged('A tree has no nodes', about);
  for (let at = begin; ; ) {
    const range = nextNode(json, at);
    if (range === 'none') return;
    if (range === undefined) return failDamaged('A tree is cut short', about);
    yield range;
    at = range.to;
  }
}

/** The texts of the nodes of a tree that comes in pieces; each is valid until the next is asked for. */
export function* nodeTexts(pieces: Iterable<Buffer>, about: string): Generator<Buffer> {
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  /** A node that is larger than what is there is looked at again when that has doubled. */
  let needed = 0;
  let hasBegun = false;
  for (const piece of pieces) {
    waiting.push(waitingBytes + piece.length < needed ? Buffer.from(piece) : piece);
    waitingBytes += piece.length;
    if (waitingBytes < needed) continue;
    const json = Buffer.concat(waiting, waitingBytes);
    let at = hasBegun ? 0 : (startOfNodes(json) ?? failDamaged('A tree has no nodes', about));
    hasBegun = true;
    let range = nextNode(json, at);
    while (range !== undefined && range !== 'none') {
      yield json.subarray(range.from, range.to);
      at = range.to;
      range = nextNode(json, at);
    }
    if (range === 'none') return;
    const rest = Buffer.from(json.subarray(at));
    waiting = [rest];
    waitingBytes = rest.length;
    needed = rest.length * 2;
  }
  failDamaged('A tree is cut short', about);
}

export function startOfNodes(json: Buffer): number | undefined {
  const begin = json.subarray(0, nodesWithin + nodesField.length).indexOf(nodesField);
  return begin < 0 ? undefined : begin + nodesField.length;
}

/** The first node from `start` on; `none` when the list ends before one; undefined when the text does. */
export function nextNode(json: Buffer, start: number): NodeRange | 'none' | undefined {
  let depth = 0;
  let from = 0;
  for (let at = start; at < json.length; at++) {
    const byte = json[at];
    if (byte === quote) {
      const end = endOfString(json, at);
      if (end === undefined) return undefined;
      at = end;
    } else if (byte === open && depth++ === 0) from = at;
    else if (byte === close) {
      depth--;
      if (depth < 0) return 'none';
      if (depth === 0) return { from, to: at + 1 };
    }
  }
  return undefined;
}

function endOfString(json: Buffer, start: number): number | undefined {
  for (let end = json.indexOf(quote, start + 1); end >= 0; end = json.indexOf(quote, end + 1)) {
    let escapes = 0;
    while (json[end - 1 - escapes] === backslash) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return undefined;
}

/** A node by itself. Throws `RepositoryDamaged`. */
export function parseNode(text: Buffer, about: string): unknown {
  refuseSwarm(text, about);
  try {
    return JSON.parse(exactNumbers(text.toString('utf8')));
  } catch (cause) {
    return failDamaged('A node is no JSON', about, cause);
  }
}
