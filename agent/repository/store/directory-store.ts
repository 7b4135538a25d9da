/** Objects as files of a directory (a disk, an NFS export): written beside their place, flushed, then linked there, so never half. */
import { constants } from 'node:fs';
import { link, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StorkError } from '../../../kube/errors.ts';
import { errnoOf } from '../../mover/mover-error.ts';
import { failRepository } from '../repository-error.ts';
import { isObjectName, type ObjectStore, type StoredObject } from './object-store.ts';

/** Unfinished objects; restic ignores names that are no digests. */
const temporarySuffix = '.part';

/** @param uniqueName makes names of unfinished objects that no other writer takes */
export function directoryStore(root: string, uniqueName: () => string): ObjectStore {
  const pathOf = (name: string) =>
    isObjectName(name)
      ? join(root, name)
      : failRepository('ObjectNameInvalid', 'An object has an impossible name', name);
  const sizeOf = async (name: string) => {
    try {
      return (await stat(pathOf(name))).size;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw unavailable(error, name);
    }
  };
  return {
    description: `directory ${root}`,
    sizeOf,
    async put(name, bytes, signal) {
      signal?.throwIfAborted();
      const path = pathOf(name);
      const temporary = join(dirname(path), `${uniqueName()}${temporarySuffix}`);
      try {
        await writeDurably(temporary, bytes);
        await link(temporary, path);
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw unavailable(error, name);
        if ((await sizeOf(name)) !== bytes.length)
          failRepository('ObjectExists', 'Another object has this name already', name, 'Check the repository.');
      } finally {
        await unlink(temporary).catch(() => undefined);
      }
      await syncDirectory(dirname(path));
    },
    async get(name, range, signal) {
      signal?.throwIfAborted();
      try {
        await using file = await open(pathOf(name), constants.O_RDONLY | constants.O_NOFOLLOW);
        const { offset, length } = range ?? { offset: 0, length: (await file.stat()).size };
        const bytes = Buffer.allocUnsafe(length);
        let done = 0;
        while (done < length) {
          const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
          if (bytesRead === 0)
            failRepository('ObjectTooShort', 'An object ends before the range that was asked for', name);
          done += bytesRead;
        }
        return bytes;
      } catch (error) {
        if (error instanceof StorkError) throw error;
        if (errnoOf(error) === 'ENOENT') return failRepository('ObjectMissing', 'An object is missing', name);
        throw unavailable(error, name);
      }
    },
    list: (prefix) => listBelow(root, prefix.replace(/\/$/, '')),
    async remove(name) {
      try {
        await unlink(pathOf(name));
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw unavailable(error, name);
      }
    },
  };
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await using file = await open(path, 'wx', 0o400);
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done)).bytesWritten;
  await file.sync();
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, constants.O_RDONLY);
  await directory.sync();
}

async function* listBelow(root: string, prefix: string): AsyncGenerator<StoredObject> {
  let entries: readonly { name: string; isDirectory(): boolean }[];
  try {
    entries = await readdir(join(root, prefix), { withFileTypes: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw unavailable(error, prefix);
  }
  for (const entry of entries) {
    const name = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) yield* listBelow(root, name);
    else if (!entry.name.endsWith(temporarySuffix)) {
      const found = await stat(join(root, name)).catch(() => undefined);
      if (found !== undefined) yield { name, sizeBytes: found.size };
    }
  }
}

function unavailable(cause: unknown, name: string): StorkError {
  const isFull = errnoOf(cause) === 'ENOSPC' || errnoOf(cause) === 'EDQUOT';
  return new StorkError({
    code: isFull ? 'StoreFull' : 'StoreUnavailable',
    message: isFull
      ? 'The store has no room left'
      : `The store failed: ${cause instanceof Error ? cause.message : String(cause)}`,
    about: name,
    retryable: !isFull,
    cause,
  });
}
