/**
 * File names inside tree blobs: restic writes them as Go's strconv.Quote does, without the quotation marks, so that names with any
 * byte survive JSON. Ours are byte strings (latin1: a character per byte).
 */
import type { ByteString } from '../../mover/syscalls.ts';
import { failDamaged } from '../repository-error.ts';

const shortEscapes: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};
const fromShort = new Map(Object.entries(shortEscapes).map(([character, written]) => [written[1], character]));
const plain = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
/** What Go's strconv.IsPrint takes for printable, near enough: what is escaped needlessly reads back the same. */
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

export function quoteName(name: ByteString): string {
  if (plain.test(name)) return name;
  let quoted = '';
  for (const part of splitUtf8(Buffer.from(name, 'latin1')))
    quoted += typeof part === 'number' ? hexEscape(part) : quoteText(part);
  return quoted;
}

function quoteText(text: string): string {
  let quoted = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const short = shortEscapes[character];
    if (short !== undefined) quoted += short;
    else if (character === ' ' || (code > 0x20 && code < 0x7f) || (code >= 0x80 && printable.test(character)))
      quoted += character;
    else if (code < 0x80) quoted += hexEscape(code);
    else if (code < 0x10000) quoted += `\\u${code.toString(16).padStart(4, '0')}`;
    else quoted += `\\U${code.toString(16).padStart(8, '0')}`;
  }
  return quoted;
}

const hexEscape = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`;

/** Valid characters as text, bytes that are part of none as numbers. */
function* splitUtf8(bytes: Buffer): Generator<string | number> {
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length === 0) yield bytes[at++] ?? 0;
    else {
      yield bytes.toString('utf8', at, at + length);
      at += length;
    }
  }
}

/** Bytes of the valid UTF-8 sequence here; 0 when there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length < 2) return length;
  try {
    strictUtf8.decode(bytes.subarray(at, at + length));
    return at + length <= bytes.length ? length : 0;
  } catch {
    return 0;
  }
}

/** Throws `RepositoryDamaged` for what Go would not read either. */
export function unquoteName(quoted: string, about: string): ByteString {
  if (plain.test(quoted)) return quoted;
  const parts: Buffer[] = [];
  const pattern = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([abfnrtv\\"]))|([^\\"]+)/gy;
  let at = 0;
  for (const match of quoted.matchAll(pattern)) {
    const [whole, hex, short, long, octal, letter, text] = match;
    at += whole.length;
    if (hex !== undefined) parts.push(Buffer.from([Number.parseInt(hex, 16)]));
    else if (octal !== undefined) parts.push(Buffer.from([Number.parseInt(octal, 8) & 0xff]));
    else if (letter !== undefined) parts.push(Buffer.from(fromShort.get(letter) ?? '', 'latin1'));
    else if (text !== undefined) parts.push(Buffer.from(text, 'utf8'));
    else parts.push(Buffer.from(codePoint(Number.parseInt(short ?? long ?? '', 16), about), 'utf8'));
  }
  if (at !== quoted.length) failDamaged('A name in a tree has an escape that is unknown', about);
  return Buffer.concat(parts).toString('latin1');
}

function codePoint(code: number, about: string): string {
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
    failDamaged('A name in a tree has an impossible character', about);
  return String.fromCodePoint(code);
}
