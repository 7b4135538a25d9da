/**
 * Walks incoming entries beside our own, both in the same order: finds our entry of the same name and type, and removes what the
 * source doesn't have or has as something else. Also the guard of paths: an entry must follow the one before and lie in a
 * directory that came before, so no list of entries can lead out of the volume.
 */
import { assertSafePath, comparePaths, type Entry, isBelow, isWithin, parentOf } from './entry.ts';
import type { SameEntries } from './incoming-item.ts';
import { fail } from './mover-error.ts';
import { type NewEntries, readNewEntries } from './new-entries.ts';
import type { OwnIndex } from './own-index.ts';
import type { ByteString } from './syscalls.ts';
import type { TreeSegment } from './tree-file.ts';
import type { RecordRun } from './tree-record.ts';

export interface OwnJoin {
  /** Takes the next incoming entry; answers ours of the same name and type. */
  join(entry: Entry): Entry | undefined;
  /** Takes the next entries of ours, which the sender has just so, from this path on. */
  joinSame(path: ByteString, entries: number): SameEntries;
  /** Takes the next incoming entries, which we have nothing of. */
  joinNew(run: RecordRun): NewEntries;
  /** Our next segment of the entry joined last. */
  takeSegment(): TreeSegment | undefined;
  /** No more entries come: removes the rest of ours. */
  finish(): void;
}

/** @param remove removes a name of ours with all below it */
export function createOwnJoin(own: OwnIndex, remove: (path: ByteString) => void): OwnJoin {
  /** The directories that the next entry may lie in. */
  const arriving: ByteString[] = [];
  let lastPath: ByteString | undefined;
  const removeOwn = (path: ByteString) => {
    remove(path);
    for (let next = own.peek(); next !== undefined && isWithin(next.path, path); next = own.peek()) own.take();
  };
  const arrive = (entry: Pick<Entry, 'path' | 'type'>) => {
    assertNext(entry, lastPath, arriving);
    lastPath = entry.path;
    if (entry.type === 'directory') arriving.push(entry.path);
  };
  const peekFrom = (path: ByteString): Entry | undefined => {
    let mine = own.peek();
    while (mine !== undefined && comparePaths(mine.path, path) < 0) {
      removeOwn(mine.path);
      mine = own.peek();
    }
    return mine;
  };
  return {
    takeSegment: own.takeSegment,
    joinSame(path, entries) {
      if (peekFrom(path)?.path !== path) fail('ProtocolError', 'A run of entries begins with one that is not there');
      const directories: Entry[] = [];
      const run = own.takeRun(entries, (type, path, whole) => {
        if (type === 'hardlink') fail('ProtocolError', 'A run of entries names what can be in none');
        assertSafePath(path);
        arrive({ path, type });
        const directory = type === 'directory' ? whole() : undefined;
        if (directory !== undefined) directories.push(directory);
      });
      return { run: run ?? fail('ProtocolError', 'A run of entries names what can be in none'), directories };
    },
    joinNew(run) {
      return readNewEntries(run, (entry) => {
        arrive(entry);
        if (peekFrom(entry.path) !== undefined) fail('ProtocolError', 'A bundle of new entries among what is there');
      });
    },
    join(entry) {
      arrive(entry);
      const mine = peekFrom(entry.path);
      if (mine?.path !== entry.path) return undefined;
      if (mine.type === entry.type) {
        own.take();
        return mine;
      }
      if (mine.path === '') fail('VolumeKindDiffers', 'A raw block volume can only be copied to a raw block volume');
      removeOwn(mine.path);
      return undefined;
    },
    finish() {
      for (let mine = own.peek(); mine !== undefined; mine = own.peek()) removeOwn(mine.path);
    },
  };
}

function assertNext(
  entry: Pick<Entry, 'path' | 'type'>,
  lastPath: ByteString | undefined,
  arriving: ByteString[],
): void {
  if (lastPath === undefined) {
    const isRoot = entry.path === '' && (entry.type === 'directory' || entry.type === 'volume');
    if (!isRoot) fail('ProtocolError', 'A volume begins with its root');
    return;
  }
  if (comparePaths(lastPath, entry.path) >= 0) fail('ProtocolError', 'Entries arrive out of order');
  while (arriving.length > 0 && !isBelow(entry.path, arriving.at(-1) ?? '')) arriving.pop();
  if (arriving.at(-1) !== parentOf(entry.path)) fail('ProtocolError', 'An entry without its directory');
}
