/** A sender's scan of a volume that takes from the last sync what did not change since, and keeps what it finds for the next one. */
import type { RunKey } from './content-hash.ts';
import type { WorkerPool } from './job.ts';
import { scanRecords } from './scan-records.ts';
import { type ScannedBatch, scanVolume } from './scan-volume.ts';
import type { ByteString, Syscalls } from './syscalls.ts';
import type { CachedVolume, TreeCache, TreeRecorder } from './tree-cache.ts';
import { type TreeDigest, wholeOf } from './tree-digest.ts';

/** What the receiver is told without asking. */
export interface Pushing {
  /** Contents of entries after this path come along. */
  readonly packAfter: ByteString | undefined;
  /** The content part of what the receiver holds: when that is what was kept, what changed since comes along. */
  readonly base: string | undefined;
  /** All of its digest: when that is what was kept, what is unchanged is marked. */
  readonly whole: string | undefined;
}

export interface RememberedScan {
  /** Once. */
  batches(key: RunKey, pushing: Pushing, signal: AbortSignal): AsyncGenerator<ScannedBatch>;
  /** The receiver has all of it. @param tree its digest; null when something else was sent than the scan found */
  keep(tree: TreeDigest | null): void;
  /** What was not kept by now is dropped. */
  drop(): void;
}

export function rememberedScan(
  { path, kind }: CachedVolume,
  cache: TreeCache | undefined,
  { pool, syscalls }: { readonly pool: WorkerPool; readonly syscalls: Syscalls },
): RememberedScan {
  let recorder: TreeRecorder | undefined;
  return {
    async *batches(key, { packAfter, base, whole }, signal) {
      const known = cache?.known(key);
      recorder = cache?.record(known === undefined ? 'Read' : 'Known', key);
      const kept = known === undefined ? null : cache?.summary?.tree;
      const packChanges = base !== undefined && kept?.parts.content === base;
      const markSame = whole !== undefined && kept !== undefined && kept !== null && wholeOf(kept) === whole;
      const marks = { markSame, inRuns: markSame };
      const scan = { key, root: path, kind, packAfter, packChanges, ...marks, known, tags: cache !== undefined };
      try {
        const how = { ...scan, pool, syscalls, signal };
        // To who wants everything what is new comes in bundles.
        const isNew = known === undefined && packAfter !== undefined && kind === 'files';
        const batches = isNew ? scanRecords({ ...how, settledNs: recorder?.settledNs }) : scanVolume(how);
        for await (const batch of batches) {
          recorder?.add(batch);
          yield batch;
        }
      } finally {
        known?.close();
      }
    },
    keep: (tree) => recorder?.keep(tree),
    drop: () => recorder?.drop(),
  };
}
