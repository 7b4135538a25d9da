/**
 * What a mover keeps of a volume for the next sync of the same volume: a tree file a volume and role in a directory that somebody
 * gives it. It only says what need not be read again; it is believed of the very same directory on the very same file system, on
 * file systems that stamp each change, and not for ever: now and then everything is read.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, lstatSync, mkdirSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../kube/clock.ts';
import type { RunKey } from './content-hash.ts';
import type { MoverRole } from './contract.ts';
import { type KnownTree, openKnownTree, settledBefore } from './known-tree.ts';
import type { ScannedBatch } from './scan-volume.ts';
import type { ByteString } from './syscalls.ts';
import type { TreeDigest } from './tree-digest.ts';
import { createTreeFile, readTreeSummary, sealTreeFile, type TreeFileWriter } from './tree-file.ts';
import { type TreeSummary, treeFormat } from './tree-summary.ts';
import type { FoundEntry, VolumeKind } from './walk.ts';

export interface CacheOptions {
  readonly directory: string;
  /** What changed this short before a scan is read again by the next one: its change may show in a snapshot before its content. */
  readonly guardMs: number;
  /** `All`: nothing kept is believed this time. */
  readonly read: 'Changed' | 'All';
  /** What one file may take; a larger one is not kept. */
  readonly limitBytes: number;
}

export interface TreeCache {
  /** Of the tree kept last, if it may be believed. */
  readonly summary: TreeSummary | undefined;
  /** The tree kept last, from its start; undefined when its hashes can't be compared with this run's. */
  known(key: RunKey): KnownTree | undefined;
  /** The file of the tree kept last. */
  readonly file: string;
  /** Begins the tree that is kept next; what was begun before is dropped. @param basis whether entries are taken from the one before */
  record(basis: 'Known' | 'Read', key: RunKey): TreeRecorder;
  /** It is of no use any more. */
  forget(): void;
  /** Keeps the tree of a whole scan that read everything. @param file of the scan, unsealed; stays */
  adopt(file: string, tree: TreeDigest, key: RunKey): void;
}

export interface TreeRecorder {
  /** What changed later is marked as not settled; nothing when undefined. */
  readonly settledNs: bigint | undefined;
  add(batch: Pick<ScannedBatch, 'items'>): void;
  /** @param tree the digest of exactly what was added; null when something else was sent */
  keep(tree: TreeDigest | null, root?: Pick<FoundEntry, 'inode' | 'changedNs'>): void;
  drop(): void;
}

export interface CachedVolume {
  readonly name: string;
  readonly path: ByteString;
  readonly kind: VolumeKind;
}

export interface CacheUse {
  readonly cache?: CacheOptions | undefined;
  readonly clock: Clock;
}

/** Undefined where nothing can be kept: raw devices have no change times. */
export function openTreeCache(
  volume: CachedVolume,
  role: MoverRole,
  { cache, clock }: CacheUse,
): TreeCache | undefined {
  const identity = cache === undefined || volume.kind === 'block' ? undefined : identityOf(volume.path);
  if (cache === undefined || identity === undefined) return undefined;
  const file = join(cache.directory, cacheFileName(volume.name, role));
  mkdirSync(cache.directory, { recursive: true, mode: 0o700 });
  const nowMs = clock.now().getTime();
  /** Looked at when it is asked for: all of the file is read to see whether it is whole. */
  let looked: { readonly kept: TreeSummary | undefined } | undefined;
  const look = () => {
    looked ??= { kept: cache.read === 'All' ? undefined : believable(readTreeSummary(file), identity, nowMs) };
    return looked.kept;
  };
  const fresh = { fullMs: nowMs, sinceFull: 0 };
  return {
    file,
    get summary() {
      return look();
    },
    known(key) {
      const kept = look();
      if (kept === undefined || kept.key !== hexOf(key)) return undefined;
      return openKnownTree({ file, root: kept.root });
    },
    record(basis, key) {
      const kept = basis === 'Known' ? look() : undefined;
      const history = kept !== undefined ? { fullMs: kept.fullMs, sinceFull: kept.sinceFull + 1 } : fresh;
      // The destination writes what it keeps itself, and then nothing else may write.
      const settledNs = role === 'source' ? settledBefore(clock.now(), cache.guardMs) : undefined;
      return recorder({ file, limitBytes: cache.limitBytes }, { identity, key: hexOf(key), ...history }, settledNs);
    },
    forget: () => rmSync(file, { force: true }),
    adopt(scanned, tree, key) {
      if (statSync(scanned).size > cache.limitBytes) return;
      const unfinished = `${file}.new`;
      copyFileSync(scanned, unfinished);
      sealTreeFile(unfinished, { format: treeFormat, identity, key: hexOf(key), tree, root: null, ...fresh });
      renameSync(unfinished, file);
    },
  };
}

const hexOf = (key: RunKey): string => Buffer.from(key).toString('hex');

export const cacheFileName = (volume: string, role: MoverRole): string =>
  `${role}-${createHash('sha256').update(volume).digest('hex').slice(0, 24)}`;

function recorder(
  { file, limitBytes }: { readonly file: string; readonly limitBytes: number },
  about: Omit<TreeSummary, 'format' | 'tree' | 'root'>,
  settledNs: bigint | undefined,
): TreeRecorder {
  const unfinished = `${file}.new`;
  const writer = createTreeFile(unfinished);
  let state: 'Open' | 'Over' = 'Open';
  const drop = () => {
    if (state === 'Over') return;
    state = 'Over';
    writer.close('Cached');
    rmSync(unfinished, { force: true });
  };
  return {
    settledNs,
    add(batch) {
      if (state === 'Over') return;
      writeBatch(writer, batch, settledNs);
      if (writer.bytes > limitBytes) drop();
    },
    keep(tree, root) {
      if (state === 'Over') return;
      state = 'Over';
      const seen = root === undefined ? null : { inode: `${root.inode}`, changedNs: `${root.changedNs}` };
      writer.seal({ format: treeFormat, ...about, tree, root: seen });
      renameSync(unfinished, file);
    },
    drop,
  };
}

/** Adds what a scan found. @param onSegment is told where each segment went */
export function writeBatch(
  writer: TreeFileWriter,
  { items }: Pick<ScannedBatch, 'items'>,
  settledNs: bigint | undefined,
  onSegment?: (hash: Uint8Array, offset: number) => void,
): void {
  for (const item of items) {
    if (item.is === 'run' || item.is === 'records') writer.addRun(item.run);
    else if (item.is === 'entry') {
      const { found, encoded } = item;
      writer.addEntry({ found, settled: settledNs === undefined || found.changedNs < settledNs, encoded });
    } else {
      const offset = writer.addSegment(item.hash, item.tags);
      onSegment?.(item.hash, offset);
    }
  }
}

const fullEveryMs = 7 * 24 * 60 * 60 * 1000;
const fullEvery = 30;

/** Pure: a tree of another volume is none, and now and then everything is to be read. */
export function believable(summary: TreeSummary | undefined, identity: string, nowMs: number): TreeSummary | undefined {
  if (summary === undefined || summary.identity !== identity) return undefined;
  const ageMs = nowMs - summary.fullMs;
  return summary.sinceFull < fullEvery && ageMs >= 0 && ageMs < fullEveryMs ? summary : undefined;
}

/**
 * File systems whose change time is the kernel's or the server's, stamped on every change and seen at once: ext4, xfs, btrfs, zfs,
 * overlay, f2fs, bcachefs, CephFS. Elsewhere (FAT, SMB, FUSE) it may be a creation time or what a user space says; tmpfs does not
 * stamp what is written through a mapping; NFS may answer from what it has cached of another machine's file for a minute.
 */
const stampingFileSystems: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x2fc12fc1, 0x794c7630, 0xf2f52010, 0xca451a4e, 0x00c36400,
]);

/** Whether this machine shows whatever anybody, on whatever machine, writes to it, at once. */
export const stampsChanges = (root: ByteString): boolean =>
  stampingFileSystems.has(statfsSync(Buffer.from(root, 'latin1')).type);

/** Survives a snapshot and its clone, but not a copy into a new file system or directory. */
export function identityOf(root: ByteString): string | undefined {
  const path = Buffer.from(root, 'latin1');
  if (!stampsChanges(root)) return undefined;
  const { type } = statfsSync(path);
  const { ino, birthtimeNs } = lstatSync(path, { bigint: true });
  return `${type}:${ino}:${birthtimeNs}`;
}
