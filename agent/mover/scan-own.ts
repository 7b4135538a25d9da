/** What a destination holds before a copy: read, or known from the last sync when the volume is exactly what that left. */
import type { RunKey } from './content-hash.ts';
import type { DestinationOptions, DestinationSpec, KeyedDestination } from './destination-run.ts';
import { findMark } from './incoming-marker.ts';
import { buildOwnIndex, type OwnIndex, type OwnIndexOptions, recallOwnIndex } from './own-index.ts';
import { openTreeCache } from './tree-cache.ts';

type Scan = OwnIndexOptions & Required<Pick<OwnIndexOptions, 'onProgress' | 'signal'>>;

export async function scanOwn(spec: DestinationSpec, scan: Scan, options: KeyedDestination): Promise<OwnIndex> {
  return (await recallOwn(spec, scan, options)) ?? (await buildOwnIndex(scan));
}

async function recallOwn(spec: DestinationSpec, scan: Scan, options: KeyedDestination): Promise<OwnIndex | undefined> {
  const { signal, onProgress } = scan;
  // What is to be written over, or was left half-written, is looked at itself.
  if (!mayRecall(options) || spec.kind === 'block' || findMark(spec.path, options.syscalls) !== undefined)
    return undefined;
  const cache = openTreeCache(spec, 'destination', options);
  const known = cache?.known(options.key);
  if (cache?.summary === undefined || known === undefined || signal === undefined) return undefined;
  try {
    const { file, summary } = cache;
    return await recallOwnIndex(spec.path, { known, file, summary }, { signal, onProgress });
  } finally {
    known.close();
  }
}

const mayRecall = ({ mode, existing }: DestinationOptions): boolean => mode === 'update' && existing === 'Refuse';

/** The key that what is known is under: the run takes it, so that it can be compared with what the source knows. */
export function keptKey(options: DestinationOptions): RunKey | undefined {
  if (!mayRecall(options)) return undefined;
  const keys = options.volumes.map((spec) => openTreeCache(spec, 'destination', options)?.summary?.key);
  const key = keys.find((kept) => kept !== undefined);
  return key === undefined ? undefined : Buffer.from(key, 'hex');
}

/** Nothing was changed: what was read is known from now on. */
export function keepScanned(spec: DestinationSpec, own: OwnIndex, options: KeyedDestination): void {
  if (own.basis === 'Known' || options.cache === undefined) return;
  openTreeCache(spec, 'destination', options)?.adopt(own.file, own.tree, options.key);
}
