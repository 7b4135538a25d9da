/** What a destination holds before a copy: read, or known from the last sync when the volume is exactly what that left. */
import type { RunKey } from './content-hash.ts';
import type { DestinationOptions, KeyedDestination } from './destination-run.ts';
import { findMark } from './incoming-marker.ts';
import { buildOwnIndex, type OwnIndex, type OwnIndexOptions, recallOwnIndex } from './own-index.ts';
import type { TreeCache } from './tree-cache.ts';

type Scan = OwnIndexOptions & Required<Pick<OwnIndexOptions, 'onProgress' | 'signal'>>;

/** @param volume its index */
export async function scanOwn(volume: number, scan: Scan, options: KeyedDestination): Promise<OwnIndex> {
  return (await recallOwn(volume, scan, options)) ?? (await buildOwnIndex(scan));
}

async function recallOwn(volume: number, scan: Scan, options: KeyedDestination): Promise<OwnIndex | undefined> {
  const { root, kind, signal, onProgress } = scan;
  // What is to be written over, or was left half-written, is looked at itself.
  if (!mayRecall(options) || kind === 'block' || findMark(root, options.syscalls) !== undefined) return undefined;
  const cache = options.caches[volume];
  const known = cache?.known(options.key);
  if (cache?.summary === undefined || known === undefined || signal === undefined) return undefined;
  try {
    const { file, summary } = cache;
    return await recallOwnIndex(root, { known, file, summary }, { signal, onProgress });
  } finally {
    known.close();
  }
}

const mayRecall = ({ mode, existing }: DestinationOptions): boolean => mode === 'update' && existing === 'Refuse';

/** The key that what is known is under: the run takes it, so that it can be compared with what the source knows. */
export function keptKey(options: DestinationOptions, caches: readonly (TreeCache | undefined)[]): RunKey | undefined {
  if (!mayRecall(options)) return undefined;
  const key = caches.map((cache) => cache?.summary?.key).find((kept) => kept !== undefined);
  return key === undefined ? undefined : Buffer.from(key, 'hex');
}

/** Nothing was changed: what was read is known from now on. */
export function keepScanned(volume: number, own: OwnIndex, { caches, key }: KeyedDestination): void {
  if (own.basis === 'Read') caches[volume]?.adopt(own.file, own.tree, key);
}
