/**
 * Settles items strictly in walk order: tells the sink what to make and finish, closes directories when the walk leaves them (so
 * that their times are set last), and folds the digest of what was received.
 */
import { type Entry, hasContent, isBelow, isSpecial, parentOf, sameMetadata } from './entry.ts';
import {
  type IncomingBundle,
  type IncomingItem,
  type IncomingRun,
  type IncomingSegment,
  targetOf,
} from './incoming-item.ts';
import type { ByteString } from './syscalls.ts';
import { type TreeDigest, treeDigester } from './tree-digest.ts';
import type { VolumeSink } from './volume-sink.ts';

export interface Settler {
  settle(item: IncomingItem): Promise<void>;
  /** A name was removed: its directory's times change. */
  noteRemoved(path: ByteString): void;
  /** Closes what is open; the digest of all that settled. */
  finish(): Promise<TreeDigest>;
}

interface OpenDirectory {
  readonly entry: Entry;
  touched: boolean;
}

export function createSettler(sink: VolumeSink): Settler {
  const digester = treeDigester();
  const open: OpenDirectory[] = [];
  const removedIn = new Set<ByteString>();

  const closeDirectories = async (next: ByteString | undefined) => {
    for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
      if (next !== undefined && isBelow(next, last.entry.path)) return;
      open.pop();
      const lostNames = removedIn.delete(last.entry.path);
      if (last.touched || lostNames || sink.touchesDirectories) await sink.finish(last.entry);
    }
  };
  const settleEntry = async (entry: Entry, own: Entry | undefined) => {
    digester.addEntry(entry);
    await closeDirectories(entry.path);
    const parent = open.at(-1);
    const isSame = own !== undefined && sameMetadata(own, entry);
    if (parent !== undefined && changesDirectory(entry, own, isSame)) parent.touched = true;
    if (entry.type === 'directory') open.push({ entry, touched: !isSame });
    else if (entry.type === 'hardlink') await sink.link(entry);
    else if (!isSame && isMadeAtOnce(entry)) await sink.create(entry);
  };
  const settleSegment = async (item: IncomingSegment) => {
    digester.addSegment(item.hash);
    const target = targetOf(item);
    if (item.placement !== undefined) sink.write(target, item.placement);
    const { entry, own, segments, wrote } = item.file;
    if (item.segment + 1 < segments || entry.type === 'volume') return;
    const cameWithContent = target.finish !== undefined && wrote;
    const isSame = own !== undefined && sameMetadata(own, entry) && !wrote;
    if (!cameWithContent && !isSame) await sink.finish(entry);
  };
  // What is left open after the last of these directories is closed by the next item: until then nothing changes in it.
  const settleSame = async ({ run, directories }: IncomingRun) => {
    digester.addRun(run);
    for (const entry of directories) {
      await closeDirectories(entry.path);
      open.push({ entry, touched: false });
    }
  };
  const settleBundle = async ({ run, path, directories }: IncomingBundle) => {
    digester.addRun(run);
    await closeDirectories(path);
    const parent = open.at(-1);
    if (parent !== undefined) parent.touched = true;
    for (const entry of directories) {
      await closeDirectories(entry.path);
      open.push({ entry, touched: true });
    }
  };
  return {
    settle: (item) => {
      if (item.is === 'same') return settleSame(item);
      if (item.is === 'bundle') return settleBundle(item);
      return item.is === 'entry' ? settleEntry(item.entry, item.own) : settleSegment(item);
    },
    noteRemoved: (path) => void removedIn.add(parentOf(path)),
    async finish() {
      await closeDirectories(undefined);
      return digester.finish();
    },
  };
}

/** Making or replacing a name changes the times of its directory; a link may have to be made again. */
function changesDirectory(entry: Entry, own: Entry | undefined, isSame: boolean): boolean {
  if (own === undefined || entry.type === 'hardlink') return true;
  return !isSame && (entry.type === 'symlink' || isSpecial(entry.type));
}

/** Has no content to wait for. */
const isMadeAtOnce = (entry: Entry): boolean =>
  entry.type !== 'volume' && (!hasContent(entry) || entry.size === 0) && entry.type !== 'directory';
