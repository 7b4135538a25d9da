/** The last word on a destination: it is read back from storage and its digest compared with the source's. */
import type { Clock } from '../../kube/clock.ts';
import type { RunKey } from './content-hash.ts';
import { type Counts, type MoverVolumeResult, shortDigest } from './contract.ts';
import type { KeyedDestination } from './destination-run.ts';
import { digestVolume } from './digest-volume.ts';
import type { Entry } from './entry.ts';
import type { WorkerPool } from './job.ts';
import { openKnownTree, type ScanMemory } from './known-tree.ts';
import { fail, failForNow } from './mover-error.ts';
import { beginPhase, bytesSentOf, type CountProgress, sumSizes } from './phase-progress.ts';
import type { StagedVolume } from './run-state.ts';
import type { ScannedBatch } from './scan-volume.ts';
import type { VolumeSpec } from './source-volume.ts';
import type { Syscalls } from './syscalls.ts';
import { stampsChanges, type TreeRecorder } from './tree-cache.ts';
import { type DigestPart, differingParts, type TreeDigest } from './tree-digest.ts';
import type { VolumeKeeper } from './volume-keeper.ts';
import type { RefusedEntries } from './volume-writer.ts';
import type { WrittenBlocks } from './written-blocks.ts';

interface VerifyOptions {
  readonly key: RunKey;
  readonly pool: WorkerPool;
  readonly syscalls: Syscalls;
  readonly signal: AbortSignal;
  readonly onProgress: CountProgress;
  readonly clock: Clock;
  readonly scanned: ScanMemory | undefined;
  readonly recorder: TreeRecorder | undefined;
}

/** The coarsest tick of kernels' file times, twice. */
const clockTickMs = 20;

export interface VerifyWith {
  /** Of this very process, by volume: what they read and nobody wrote since is not read again. */
  readonly scans?: readonly ScanMemory[] | undefined;
  readonly keeper: VolumeKeeper;
}

/** What was written, and where in files; with what the kernel refused of it, where that is known entry by entry. */
export type AppliedVolume = StagedVolume & {
  readonly refused?: RefusedEntries | undefined;
  readonly written?: WrittenBlocks | undefined;
};

/** Throws `VerifyMismatch` when contents differ, or metadata that nobody refused to set. */
export async function verifyVolumes(
  volumes: readonly AppliedVolume[],
  options: KeyedDestination,
  { scans = [], keeper }: VerifyWith,
): Promise<readonly MoverVolumeResult[]> {
  const total = sumSizes(volumes.map(({ tree }) => tree));
  const onProgress = beginPhase(options, 'Verifying', { total, bytesSent: bytesSentOf(volumes) });
  const results: MoverVolumeResult[] = [];
  for (const [index, volume] of volumes.entries()) {
    const spec = options.volumes[index] ?? fail('VolumesDiffer', `Volume ${volume.name} is not mounted`);
    const scanned = scans[index];
    const recorder = keeper.record(index, spec, scanned === undefined ? 'Read' : scanned.basis);
    results.push(await verifyVolume(spec, volume, { ...options, onProgress, scanned, recorder }));
  }
  return results;
}

async function verifyVolume(
  spec: VolumeSpec,
  volume: AppliedVolume,
  options: VerifyOptions,
): Promise<MoverVolumeResult> {
  const { key, pool, syscalls, signal, onProgress, scanned, recorder } = options;
  await pool.run({ do: 'sync', root: spec.path, kind: spec.kind }, signal);
  // Whatever anybody writes from now on must have another change time than what we wrote.
  if (recorder !== undefined) await options.clock.sleep(clockTickMs, signal);
  const sizeBytes = spec.kind === 'block' ? volume.sizeBytes : undefined;
  const known = scanned === undefined ? undefined : openKnownTree(scanned);
  const written = known !== undefined && stampsChanges(spec.path) ? volume.written : undefined;
  const how = { key, sizeBytes, fromStorage: true, written, known, pool, syscalls, signal };
  const scan = { root: spec.path, kind: spec.kind, ...how };
  const onBatch = (batch: ScannedBatch) => {
    recorder?.add(batch);
    onProgress(batch.size);
  };
  const besides = besidesOf(volume);
  const inRuns = besides === undefined;
  const found = await digestVolume({ ...scan, inRuns }, onBatch, besides).finally(() => known?.close());
  const unexplained = findUnexplained(found, volume);
  if (unexplained.length > 0) {
    failForNow(
      'VerifyMismatch',
      `Volume ${spec.name} reads back different from the source in ${unexplained.join(', ')}`,
    );
  }
  recorder?.keep(found);
  return resultOf({ ...volume, bytesRead: volume.bytesRead + found.bytesRead }, found);
}

export function resultOf(volume: StagedVolume, { digest, files, bytes }: TreeDigest): MoverVolumeResult {
  const { name, bytesRead, bytesSent, blocksSent, warnings, degraded, tree } = volume;
  const sent = digest === tree.digest ? undefined : shortDigest(tree.digest);
  return { name, digest, sent, files, bytes, bytesRead, bytesSent, blocksSent, warnings, degraded };
}

/** Puts in what was refused, and nothing else: then all must be equal. Of what could not be made there is no entry. */
function besidesOf({ refused, degraded }: AppliedVolume): ((entry: Entry) => Entry) | undefined {
  if (refused === undefined || refused.size === 0 || (degraded.special ?? 0) > 0) return undefined;
  return (entry) => {
    const found = refused.get(entry.path);
    if (found === undefined) return entry;
    const fields = found.kinds.map((kind) => wanted[kind]?.(found.entry) ?? {});
    return Object.assign({}, entry, ...fields);
  };
}

const wanted: Readonly<Record<string, (entry: Entry) => Partial<Entry>>> = {
  owner: ({ uid, gid }) => ({ uid, gid }),
  mode: ({ mode }) => ({ mode }),
  mtime: ({ mtimeNs }) => ({ mtimeNs }),
  xattr: ({ xattrs }) => ({ xattrs }),
};

function findUnexplained(
  found: TreeDigest & { readonly other?: TreeDigest },
  { tree, degraded }: AppliedVolume,
): readonly DigestPart[] {
  if (found.other !== undefined) return differingParts(found.other, tree);
  return differingParts(found, tree).filter((part) => !isExplained(part, degraded));
}

/** A special file that could not be made lacks all its metadata too. */
function isExplained(part: DigestPart, degraded: Counts): boolean {
  if (part === 'content') return false;
  return (degraded[part] ?? 0) > 0 || (degraded.special ?? 0) > 0;
}
