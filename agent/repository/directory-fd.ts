/**
 * Names below open directories: every path begins at a descriptor and has one name behind it, so that nobody who renames directories or
 * puts symlinks in their place leads us elsewhere. Node lacks openat; `/proc/self/fd/N/NAME` is the same.
 */
import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { errnoOf } from '../mover/mover-error.ts';
import type { ByteString } from '../mover/syscalls.ts';
import { ofDescriptor } from '../mover/within-volume.ts';

/** Where the kernel finds a name of an open directory, whatever became of the directory's own name. */
export const pathIn = (directory: number, name: ByteString): ByteString => `${ofDescriptor(directory)}/${name}`;

export const bytesOf = (path: ByteString): Buffer => Buffer.from(path, 'latin1');

/** Its descriptor; refuses a symlink in the last place. */
export const openDirectory = (path: ByteString): number =>
  openSync(bytesOf(path), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK);

export interface ListedName {
  readonly name: ByteString;
  readonly isDirectory: boolean;
}

/** A directory that takes so much has some ten thousand names: as Node's own entries they would take 500 bytes each at once. */
const largeListBytes = 1024 * 1024;
const namesAtOnce = 1024;

export function listIn(directory: number): readonly ListedName[] {
  const path = ofDescriptor(directory);
  if (fstatSync(directory).size > largeListBytes) return listInSteps(path);
  // As buffers: where the file system doesn't tell types, Node stats by name, which must be the right bytes.
  return readdirSync(path, { encoding: 'buffer', withFileTypes: true }).map(listed);
}

const listed = (entry: Pick<Dirent<Buffer>, 'name' | 'isDirectory'>): ListedName => ({
  name: entry.name.toString('latin1'),
  isDirectory: entry.isDirectory(),
});

function listInSteps(path: string): readonly ListedName[] {
  const names: ListedName[] = [];
  // Node gives names as buffers when it is asked to, as readdirSync; its types leave that out.
  const encoding = 'buffer' as BufferEncoding;
  const opened = opendirSync(path, { encoding, bufferSize: namesAtOnce });
  const next = () => opened.readSync() as unknown as Dirent<Buffer> | null;
  try {
    for (let entry = next(); entry !== null; entry = next()) names.push(listed(entry));
  } finally {
    opened.closeSync();
  }
  return names;
}

/** Removes a name and all below it, never through a symlink; nothing when it isn't there, or somebody else is faster. */
export function removeIn(directory: number, name: ByteString): void {
  try {
    removeThere(pathIn(directory, name));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function removeThere(path: ByteString): void {
  if (!lstatSync(bytesOf(path)).isDirectory()) {
    unlinkSync(bytesOf(path));
    return;
  }
  const inner = openDirectory(path);
  try {
    for (const one of listIn(inner)) removeIn(inner, one.name);
  } finally {
    closeSync(inner);
  }
  rmdirSync(bytesOf(path));
}

/** Makes room for something that is no directory. False when a directory that isn't empty is in the way and must be kept. */
export function clearName(directory: number, name: ByteString, wholeTrees: 'remove' | 'keep'): boolean {
  try {
    if (wholeTrees === 'remove') removeIn(directory, name);
    else {
      const path = bytesOf(pathIn(directory, name));
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats?.isDirectory() === true) rmdirSync(path);
      else if (stats !== undefined) unlinkSync(path);
    }
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOTEMPTY') return false;
    throw error;
  }
}
