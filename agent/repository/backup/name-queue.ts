/** Names in order, each with a word about it: first in, first out. Many are kept packed, as half a million take 80 MB as strings. */
import type { ByteString } from '../../mover/syscalls.ts';
import { type PackedText, packText, unpackText } from './packed-tree.ts';

export interface NamedWord {
  readonly name: ByteString;
  /** ASCII, without `/`. */
  readonly word: string;
}

export interface NameQueue {
  push(one: NamedWord): void;
  first(): NamedWord | undefined;
  /** Drops the first. */
  shift(): void;
}

const packedAtOnce = 2048;

export function nameQueue(): NameQueue {
  const packed: PackedText[] = [];
  let head: readonly NamedWord[] = [];
  let at = 0;
  let tail: NamedWord[] = [];
  return {
    push(one) {
      tail.push(one);
      if (tail.length < packedAtOnce) return;
      packed.push(packNames(tail));
      tail = [];
    },
    first() {
      if (at === head.length) {
        const next = packed.shift();
        head = next === undefined ? tail : unpackNames(next);
        at = 0;
        if (next === undefined) tail = [];
      }
      return head[at];
    },
    shift: () => void at++,
  };
}

// No name has a slash.
const packNames = (names: readonly NamedWord[]): PackedText =>
  packText(Buffer.from(names.map(({ name, word }) => `${word}/${name}`).join('/'), 'latin1'));

function unpackNames(packed: PackedText): readonly NamedWord[] {
  const parts = unpackText(packed).toString('latin1').split('/');
  return Array.from({ length: parts.length / 2 }, (_, at) => ({
    word: parts[2 * at] ?? '',
    name: parts[2 * at + 1] ?? '',
  }));
}
