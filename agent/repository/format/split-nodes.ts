/** Cuts a large tree's JSON into its nodes by counting brackets outside of strings, and parses each by itself. */
import { failDamaged } from '../repository-error.ts';
import { exactNumbers, refuseSwarm } from './read-json.ts';

const [quote, backslash, open, close] = [0x22, 0x5c, 0x7b, 0x7d];

export function* splitNodes(json: Buffer, about: string): Generator<unknown> {
  for (const { from, to } of nodeRanges(json, about)) {
    refuseSwarm(json.subarray(from, to), about);
    yield parseNode(json.toString('utf8', from, to), about);
  }
}

/** Where each node's text begins and ends. */
export function* nodeRanges(json: Buffer, about: string): Generator<{ readonly from: number; readonly to: number }> {
  const begin = json.indexOf('"nodes":[');
  if (begin < 0 || begin > 64) return failDamaged('A tree has no nodes', about);
  let depth = 0;
  let from = 0;
  for (let at = begin + '"nodes":['.length; at < json.length; at++) {
    const byte = json[at];
    if (byte === quote) at = endOfString(json, at, about);
    else if (byte === open && depth++ === 0) from = at;
    else if (byte === close) {
      depth--;
      if (depth < 0) return;
      if (depth === 0) yield { from, to: at + 1 };
    }
  }
  return failDamaged('A tree is cut short', about);
}

function endOfString(json: Buffer, start: number, about: string): number {
  for (let end = json.indexOf(quote, start + 1); end >= 0; end = json.indexOf(quote, end + 1)) {
    let escapes = 0;
    while (json[end - 1 - escapes] === backslash) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return failDamaged('A tree is cut short', about);
}

/** A node by itself. Throws `RepositoryDamaged`. */
export function parseNode(text: string, about: string): unknown {
  try {
    return JSON.parse(exactNumbers(text));
  } catch (cause) {
    return failDamaged('A node is no JSON', about, cause);
  }
}
