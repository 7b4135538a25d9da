/** The last word on a destination: it is read back from storage and its digest compared with the source's. */
import type { RunKey } from './content-hash.ts';
import type { Counts, MoverVolumeResult } from './contract.ts';
import type { KeyedDestination } from './destination-run.ts';
import type { WorkerPool } from './job.ts';
import { openKnownEntries, type ScanMemory } from './known-entries.ts';
import { fail, failForNow } from './mover-error.ts';
import { beginPhase, bytesSentOf, type CountProgress, sumSizes } from './phase-progress.ts';
import type { StagedVolume } from './run-state.ts';
import { digestVolume } from './scan-volume.ts';
import type { VolumeSpec } from './source-volume.ts';
import type { Syscalls } from './syscalls.ts';
import { type DigestPart, differingParts, type TreeDigest } from './tree-digest.ts';

interface VerifyOptions {
  readonly key: RunKey;
  readonly pool: WorkerPool;
  readonly syscalls: Syscalls;
  readonly signal: AbortSignal;
  readonly onProgress: CountProgress;
  readonly scanned: ScanMemory | undefined;
}

/**
 * @param scans of this very process, by volume: what they read and nobody wrote since is not read again
 * Throws `VerifyMismatch` when contents differ, or metadata that nobody refused to set.
 */
export async function verifyVolumes(
  volumes: readonly StagedVolume[],
  options: KeyedDestination,
  scans: readonly ScanMemory[] = [],
): Promise<readonly MoverVolumeResult[]> {
  const total = sumSizes(volumes.map(({ tree }) => tree));
  const onProgress = beginPhase(options, 'Verifying', { total, bytesSent: bytesSentOf(volumes) });
  const results: MoverVolumeResult[] = [];
  for (const [index, volume] of volumes.entries()) {
    const spec = options.volumes[index] ?? fail('VolumesDiffer', `Volume ${volume.name} is not mounted`);
    results.push(await verifyVolume(spec, volume, { ...options, onProgress, scanned: scans[index] }));
  }
  return results;
}

async function verifyVolume(
  spec: VolumeSpec,
  volume: StagedVolume,
  options: VerifyOptions,
): Promise<MoverVolumeResult> {
  const { key, pool, syscalls, signal, onProgress, scanned } = options;
  await pool.run({ do: 'sync', root: spec.path, kind: spec.kind }, signal);
  const sizeBytes = spec.kind === 'block' ? volume.sizeBytes : undefined;
  const known = scanned === undefined ? undefined : openKnownEntries(scanned);
  const scan = { key, root: spec.path, kind: spec.kind, sizeBytes, fromStorage: true, known, pool, syscalls, signal };
  const found = await digestVolume(scan, ({ size }) => onProgress(size)).finally(() => known?.close());
  const unexplained = differingParts(found, volume.tree).filter((part) => !isExplained(part, volume.degraded));
  if (unexplained.length > 0) {
    failForNow(
      'VerifyMismatch',
      `Volume ${spec.name} reads back different from the source in ${unexplained.join(', ')}`,
    );
  }
  return resultOf({ ...volume, bytesRead: volume.bytesRead + found.bytesRead }, found);
}

export function resultOf(volume: StagedVolume, { digest, files, bytes }: TreeDigest): MoverVolumeResult {
  const { name, bytesRead, bytesSent, blocksSent, warnings, degraded } = volume;
  return { name, digest, files, bytes, bytesRead, bytesSent, blocksSent, warnings, degraded };
}

/** A special file that could not be made lacks all its metadata too. */
function isExplained(part: DigestPart, degraded: Counts): boolean {
  if (part === 'content') return false;
  return (degraded[part] ?? 0) > 0 || (degraded.special ?? 0) > 0;
}
