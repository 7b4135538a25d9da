/**
 * Objects as files of a directory (a disk, an NFS export), in the layout and with the modes of restic's local repositories. A file is
 * written under a name of its own, flushed, then linked to its place, which fails when the place is taken; the directory is
 * flushed last. So an object is never half, never replaced, and there after a power failure once `put` has ended.
 */
import { constants } from 'node:fs';
import { link, lstat, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { errnoOf } from '../../mover/mover-error.ts';
import { type ByteRange, completeStore, type ObjectStore, type StoredPage } from './object-store.ts';
import { failTooShort, StoreError, storeFull, storeRefused, unavailable } from './store-error.ts';

/** Unfinished objects: no object's name begins so, and restic passes over what is named by no digest. */
const leftover = /^\.[^/]+\.part$/;

/** Pieces of `read`. */
const pieceBytes = 1024 * 1024;
/** Files of one directory looked at together. */
const looksAtOnce = 16;

export interface DirectoryStoreOptions {
  /** `None` for what can be made again and is checked when read: a cache. */
  readonly flush?: 'Files' | 'None';
}

/**
 * @param place absolute, or as from the working directory of now
 * @param uniqueName makes names of unfinished objects that no other writer takes
 */
export function directoryStore(
  place: string,
  uniqueName: () => string,
  { flush = 'Files' }: DirectoryStoreOptions = {},
): ObjectStore {
  const root = resolve(place);
  const pathOf = (name: string) => join(root, name);
  const sizeOf = async (name: string) => (await orUndefined(stat(pathOf(name)), name))?.size;
  const get = (name: string, range?: ByteRange, signal?: AbortSignal) => readWhole(pathOf(name), name, range, signal);
  return completeStore({
    description: `directory ${root}`,
    sizeOf,
    get,
    async create(name, bytes) {
      const path = pathOf(name);
      const temporary = join(dirname(path), `.${uniqueName()}.part`);
      let isTaken = false;
      try {
        await makeDirectories(dirname(path), flush);
        await writeNew(temporary, bytes, flush);
        isTaken = await moveToFreePlace(temporary, path);
        if (flush === 'Files') await flushDirectory(dirname(path));
      } catch (error) {
        throw errnoOf(error) === 'ENOENT'
          ? unavailable('its directory vanished', name, { cause: error })
          : explain(error, name);
      } finally {
        await unlink(temporary).catch(() => undefined);
      }
      return isTaken ? 'Taken' : 'Made';
    },
    read: (name, range, signal) => readPieces(pathOf(name), name, range, signal),
    page: async (prefix, from, signal) => readDirectoryPage(root, prefix, from, signal),
    async remove(name) {
      await orUndefined(unlink(pathOf(name)), name);
    },
    removeLeftovers: (before, signal) => removeLeftovers(root, before, signal),
  });
}

async function readWhole(path: string, name: string, range: ByteRange | undefined, signal: AbortSignal | undefined) {
  signal?.throwIfAborted();
  try {
    await using file = await open(path, constants.O_RDONLY);
    const { offset, length } = range ?? { offset: 0, length: (await file.stat()).size };
    const bytes = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) failTooShort(name);
      done += bytesRead;
    }
    return bytes;
  } catch (error) {
    throw explain(error, name);
  }
}

async function* readPieces(
  path: string,
  name: string,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    await using file = await open(path, constants.O_RDONLY);
    const { offset, length } = range ?? { offset: 0, length: (await file.stat()).size };
    for (let done = 0; done < length; ) {
      signal?.throwIfAborted();
      const piece = Buffer.allocUnsafe(Math.min(pieceBytes, length - done));
      const { bytesRead } = await file.read(piece, 0, piece.length, offset + done);
      if (bytesRead === 0) failTooShort(name);
      yield piece.subarray(0, bytesRead);
      done += bytesRead;
    }
  } catch (error) {
    throw explain(error, name);
  }
}

/** With what leads there, each known to its parent before anything lies in it. */
async function makeDirectories(path: string, flush: 'Files' | 'None'): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined || flush === 'None') return;
  for (let made = path; made.length >= first.length && made !== dirname(made); made = dirname(made))
    await flushDirectory(dirname(made));
}

async function writeNew(path: string, bytes: Uint8Array, flush: 'Files' | 'None'): Promise<void> {
  await using file = await open(path, 'wx', 0o400);
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done)).bytesWritten;
  if (flush === 'Files') await file.sync();
}

/** True when the place is taken. A file system without hard links gets a look and a rename: whole still, but of two at once the last wins. */
async function moveToFreePlace(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
    return false;
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    if (errno === 'EEXIST') return true;
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(errno)) throw error;
    if ((await lstat(path).catch(() => undefined)) !== undefined) return true;
    await rename(temporary, path);
    return false;
  }
}

async function flushDirectory(path: string): Promise<void> {
  await using directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } catch (error) {
    // Some network file systems can't flush directories and need not: their server has made the entry durable.
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes(errnoOf(error) ?? '')) throw error;
  }
}

/** A page is a directory; `from` holds those that are still to be read, a line each. */
async function readDirectoryPage(
  root: string,
  prefix: string,
  from: string | undefined,
  signal: AbortSignal | undefined,
): Promise<StoredPage> {
  signal?.throwIfAborted();
  const [folder = '', ...waiting] = (from ?? prefix.slice(0, -1)).split('\n');
  const entries = await namesIn(root, folder);
  const found = await mapLimit(
    entries.filter((entry) => !entry.startsWith('.')).map((entry) => join(folder, entry)),
    looksAtOnce,
    async (name) => ({ name, stats: await orUndefined(stat(join(root, name)), name) }),
    signal,
  );
  const folders = found.filter(({ stats }) => stats?.isDirectory()).map(({ name }) => name);
  const objects = found.flatMap(({ name, stats }) =>
    stats?.isFile() ? [{ name, sizeBytes: stats.size, modifiedAt: stats.mtime }] : [],
  );
  const next = [...folders, ...waiting];
  return { objects, next: next.length === 0 ? undefined : next.join('\n') };
}

async function namesIn(root: string, folder: string): Promise<readonly string[]> {
  return (await orUndefined(readdir(join(root, folder)), folder)) ?? [];
}

async function removeLeftovers(root: string, before: Date, signal: AbortSignal | undefined): Promise<number> {
  let removed = 0;
  const folders = [''];
  for (const folder of folders) {
    signal?.throwIfAborted();
    for (const entry of await readdir(join(root, folder), { withFileTypes: true }).catch(() => [])) {
      const name = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(name);
      if (!entry.isFile() || !leftover.test(entry.name)) continue;
      const stats = await orUndefined(lstat(join(root, name)), name);
      if (stats === undefined || stats.mtime >= before) continue;
      await orUndefined(unlink(join(root, name)), name);
      removed++;
    }
  }
  return removed;
}

async function orUndefined<Result>(running: Promise<Result>, name: string): Promise<Result | undefined> {
  try {
    return await running;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw explain(error, name);
  }
}

function explain(cause: unknown, name: string): unknown {
  if (cause instanceof StoreError || !(cause instanceof Error)) return cause;
  const errno = errnoOf(cause);
  switch (errno) {
    case undefined:
      return cause;
    case 'ENOENT':
    case 'ENOTDIR':
      return new StoreError({ code: 'ObjectMissing', message: 'An object is missing', about: name, cause });
    case 'ENOSPC':
    case 'EDQUOT':
      return storeFull(name, cause);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return storeRefused(cause.message, name, 'Let the user as whom this runs read and write there.', cause);
    default:
      return unavailable(cause.message, name, { cause });
  }
}
