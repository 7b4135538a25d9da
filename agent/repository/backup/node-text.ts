/** Compares files with their nodes in the text of a tree, where those have the form that `encodeNodeHead` writes. */
import type { ByteString } from '../../mover/syscalls.ts';
import { idBytes, idCharacters, readIdIn } from '../format/object-id.ts';
import { TextReader } from '../format/text-reader.ts';
import type { Claims } from './claims.ts';
import type { QuickLook, QuickTime } from './quick-look.ts';

const nameField = '{"name":"';
const fractionDigits = 9;
const id = new Uint8Array(idBytes);

/** The name of the node that begins here; undefined when none does, or its name is escaped. */
export function plainNameAt(text: string, at: number): ByteString | undefined {
  if (!text.startsWith(nameField, at)) return undefined;
  const from = at + nameField.length;
  const end = text.indexOf('"', from);
  const name = text.slice(from, Math.max(from, end));
  return name.includes('\\') ? undefined : name;
}

interface Begun {
  readonly from: number;
  /** Of `plainNameAt`. */
  readonly name: ByteString;
}

/**
 * Where the node ends, when it is of the file that is looked at, and all of its content is known. What changes with the time of change
 * only (owner, mode, extended attributes) is not compared, nor is the device: a clone of a volume is another.
 */
export function endOfSameFile(
  text: string,
  { from, name }: Begun,
  look: QuickLook,
  known: Pick<Claims, 'has'>,
): number | undefined {
  const reader = new TextReader(text, from + nameField.length + name.length);
  const isSame =
    reader.skip('","type":"file","mode":') &&
    reader.number() >= 0 &&
    reader.skip(',"mtime":"') &&
    isTime(reader, look.mtime) &&
    reader.skip('","atime":"') &&
    reader.skipText() &&
    reader.skip('","ctime":"') &&
    isTime(reader, look.ctime) &&
    reader.skip('","uid":') &&
    reader.number() >= 0 &&
    reader.skip(',"gid":') &&
    reader.number() >= 0 &&
    reader.skip(',"inode":') &&
    reader.number() === look.inode &&
    reader.skip(',"device_id":') &&
    reader.number() >= 0 &&
    reader.skip(',"size":') &&
    reader.number() === look.size &&
    reader.skip(',"links":') &&
    reader.number() >= 0 &&
    reader.skip(',"content":[');
  if (!isSame) return undefined;
  if (reader.skip(']}')) return reader.at;
  do {
    if (!reader.skip('"') || !readIdIn(text, reader.at, id) || !known.has(id, 'data')) return undefined;
    reader.at += idCharacters;
  } while (reader.skip('",'));
  return reader.skip('"]}') ? reader.at : undefined;
}

/** As `formatTime` writes it. */
function isTime(reader: TextReader, { upToSeconds, ns }: QuickTime): boolean {
  if (!reader.skip(upToSeconds)) return false;
  if (!reader.skip('.')) return ns === 0 && reader.skip('Z');
  const begin = reader.at;
  const fraction = reader.number() * 10 ** (fractionDigits - (reader.at - begin));
  return fraction === ns && reader.skip('Z');
}
