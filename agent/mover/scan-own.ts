/** What a destination holds before a copy: read, or known from the last sync when the volume is exactly what that left. */
import type { RunKey } from './content-hash.ts';
import type { DestinationOptions, KeyedDestination } from './destination-run.ts';
import { findMark } from './incoming-marker.ts';
import { buildOwnIndex, type OwnIndex, type OwnIndexOptions, recallOwnIndex } from './own-index.ts';
import { startOver, startsOver } from './session.ts';
import type { TreeCache } from './tree-cache.ts';

type Scan = OwnIndexOptions & Required<Pick<OwnIndexOptions, 'onProgress' | 'signal'>>;

/**
 * What is known is answered before it is proven, when it is the point that is expected: its survey proves it, or the run starts over
 * and reads everything.
 * @param volume its index
 */
export async function scanOwn(volume: number, scan: Scan, options: KeyedDestination): Promise<OwnIndex> {
  const recalled = recallOwn(volume, scan, options);
  if (recalled === undefined) return await buildOwnIndex(scan);
  if (recalled.tree.digest === options.volumes[volume]?.expectDigest) return recalled;
  try {
    await recalled.survey();
    return recalled;
  } catch (error) {
    recalled.close();
    if (!startsOver(error)) throw error;
    return await buildOwnIndex(scan);
  }
}

function recallOwn(volume: number, scan: Scan, options: KeyedDestination): OwnIndex | undefined {
  const { root, kind, signal, syscalls } = scan;
  // What is to be written over, or was left half-written, is looked at itself.
  if (!mayRecall(options) || kind === 'block' || findMark(root, options.syscalls) !== undefined) return undefined;
  const cache = options.caches[volume];
  const tree = cache?.summary?.tree;
  if (cache?.summary === undefined || tree === undefined || tree === null || signal === undefined) return undefined;
  const known = cache.known(options.key);
  if (known === undefined) return undefined;
  const differs = () => {
    cache.forget();
    return startOver('The volume is not what the last sync left: all of it is read');
  };
  const recalled = { known, file: cache.file, root: cache.summary.root, tree };
  return recallOwnIndex(root, recalled, { signal, syscalls, differs });
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
