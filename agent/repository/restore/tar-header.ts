/**
 * Headers of a tar archive: what fits into 512 bytes of ustar, and a pax header before it for the rest, so that names of any bytes,
 * nanoseconds, attributes and sizes survive. Sources: POSIX `pax` ("pax Interchange Format"); attributes as GNU tar and star keep them
 * (`SCHILY.xattr.NAME`).
 */
import type { ByteString, Xattr } from '../../mover/syscalls.ts';
import type { NodeType } from '../format/tree.ts';

export interface TarEntry {
  /** Without a slash at its beginning. */
  readonly path: ByteString;
  readonly type: Exclude<NodeType, 'socket' | 'irregular'> | 'hardlink';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  /** Of what follows; 0 but for files. */
  readonly sizeBytes: number;
  /** Of symlinks, and the path of a hard link's first name. */
  readonly target: ByteString;
  /** st_rdev of devices. */
  readonly device: bigint;
  readonly xattrs: readonly Xattr[];
}

const blockBytes = 512;
const typeFlags: Readonly<Record<TarEntry['type'], string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  chardev: '3',
  dev: '4',
  dir: '5',
  fifo: '6',
};
const pathBytes = 100;
/** Of a field of so many octal digits. */
const largest = (digits: number): number => 8 ** digits - 1;

/** Two blocks of zeros. */
export const tarEnd = (): Buffer => Buffer.alloc(2 * blockBytes);

/** What fills an entry's last block. */
export const tarPadding = (sizeBytes: number): Buffer =>
  Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);

/** All that stands before an entry's content. */
export function tarHeader(entry: TarEntry): Buffer {
  const path = entry.type === 'dir' ? `${entry.path}/` : entry.path;
  const records = [...paxRecords({ ...entry, path })];
  if (records.length === 0) return ustar({ ...entry, path }, typeFlags[entry.type]);
  const extended = Buffer.concat(records);
  const about = { ...entry, path: 'PaxHeader', target: '', mode: 0o644, sizeBytes: extended.length, mtimeNs: 0n };
  return Buffer.concat([
    ustar({ ...about, uid: 0, gid: 0, device: 0n }, 'x'),
    extended,
    tarPadding(extended.length),
    ustar({ ...entry, path }, typeFlags[entry.type]),
  ]);
}

function* paxRecords({ path, target, sizeBytes, uid, gid, mtimeNs, xattrs }: TarEntry): Generator<Buffer> {
  if (path.length > pathBytes) yield record('path', bytesOf(path));
  if (target.length > pathBytes) yield record('linkpath', bytesOf(target));
  if (sizeBytes > largest(11)) yield record('size', bytesOf(`${sizeBytes}`));
  if (uid > largest(7)) yield record('uid', bytesOf(`${uid}`));
  if (gid > largest(7)) yield record('gid', bytesOf(`${gid}`));
  if (mtimeNs % 1_000_000_000n !== 0n || mtimeNs < 0n || mtimeNs / 1_000_000_000n > BigInt(largest(11)))
    yield record('mtime', bytesOf(secondsOf(mtimeNs)));
  for (const { name, value } of xattrs) yield record(`SCHILY.xattr.${keyword(name)}`, value);
}

/** A key ends at the first `=`; GNU tar writes and reads names so. */
const keyword = (name: ByteString): ByteString => name.replaceAll('%', '%25').replaceAll('=', '%3D');

/** `LENGTH KEY=VALUE\n`, the length with its own digits. */
function record(key: ByteString, value: Uint8Array): Buffer {
  const rest = Buffer.concat([bytesOf(` ${key}=`), value, bytesOf('\n')]);
  let length = rest.length;
  while (length !== rest.length + `${length}`.length) length = rest.length + `${length}`.length;
  return Buffer.concat([bytesOf(`${length}`), rest]);
}

/** Seconds with their fraction; before 1970 with a minus. */
function secondsOf(ns: bigint): string {
  const sign = ns < 0n ? '-' : '';
  const whole = ns < 0n ? -ns : ns;
  const fraction = `${whole % 1_000_000_000n}`.padStart(9, '0').replace(/0+$/, '');
  return `${sign}${whole / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

function ustar(entry: TarEntry, flag: string): Buffer {
  const block = Buffer.alloc(blockBytes);
  const put = (text: ByteString, at: number, length: number) => void block.write(text.slice(0, length), at, 'latin1');
  const number = (value: number, at: number, digits: number) =>
    put(Math.min(value, largest(digits)).toString(8).padStart(digits, '0'), at, digits);
  put(entry.path, 0, pathBytes);
  number(entry.mode, 100, 7);
  number(entry.uid, 108, 7);
  number(entry.gid, 116, 7);
  number(entry.sizeBytes, 124, 11);
  number(entry.mtimeNs < 0n ? 0 : Number(entry.mtimeNs / 1_000_000_000n), 136, 11);
  put(flag, 156, 1);
  put(entry.target, 157, pathBytes);
  put('ustar\x0000', 257, 8);
  const { major, minor } = deviceNumbers(entry.device);
  number(major, 329, 7);
  number(minor, 337, 7);
  // Of the header with spaces where it stands.
  put('        ', 148, 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8);
  return block;
}

/** As the C library takes st_rdev apart. */
function deviceNumbers(device: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
    minor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
  };
}

const bytesOf = (text: ByteString): Buffer => Buffer.from(text, 'latin1');
