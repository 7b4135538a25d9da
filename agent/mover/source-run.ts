/**
 * The sending mover: offers every item of every volume in order, answers wants, and ends when the receiver says that everything
 * is safe. Reads only. One engine talks to one receiver's engine, over as many streams as it takes (source-stream.ts).
 */
import type { Clock } from '../../kube/clock.ts';
import type { RunKey } from './content-hash.ts';
import type { MoverVolumeProgress, MoverVolumeResult } from './contract.ts';
import type { VolumeSize, WorkerPool } from './job.ts';
import { fail } from './mover-error.ts';
import { createPulse, type Pulse } from './pulse.ts';
import { type Pushing, rememberedScan } from './remembered-scan.ts';
import { type Connect, keepConversing } from './session.ts';
import { converseAsSource } from './source-stream.ts';
import { type SourceVolume, sourceVolume, type VolumeSpec } from './source-volume.ts';
import type { Syscalls } from './syscalls.ts';
import { type CacheOptions, openTreeCache, type TreeCache } from './tree-cache.ts';

export interface SourceOptions {
  readonly run: string;
  /** Unique for each call. */
  readonly instance: string;
  readonly volumes: readonly VolumeSpec[];
  readonly connect: Connect;
  readonly pool: WorkerPool;
  readonly syscalls: Syscalls;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: SourceProgress) => void) | undefined;
  /** What was found by the last sync of the same volumes; nothing is kept when undefined. */
  readonly cache?: CacheOptions | undefined;
}

export interface SourceProgress {
  readonly phase: 'Copying' | 'Verifying' | 'Finished';
  readonly files: number;
  readonly filesTotal: number;
  readonly bytes: number;
  readonly bytesTotal: number;
  readonly bytesSent: number;
  /** Each that was begun. */
  readonly volumes: readonly MoverVolumeProgress[];
}

/** What outlasts streams. */
export interface SourceRun {
  readonly options: SourceOptions;
  readonly changed: Pulse;
  /** Index of the current volume; the number of volumes when all are done. */
  readonly at: number;
  readonly volume: SourceVolume | undefined;
  readonly total: VolumeSize;
  /** The receiver's engine that our progress belongs to. */
  peer: string | null;
  /** The run's, as that engine said it; undefined before the first greeting. */
  key: RunKey | undefined;
  readonly isScanning: boolean;
  /** Begins the current volume's scan, once. */
  startScan(pushing: Pushing): void;
  /** Throws what made the scan fail. */
  checkScan(): void;
  /** The receiver has the current volume completely: on to the next. */
  finishVolume(): void;
  countSent(bytes: number): void;
  noteProgress(): void;
  report(phase: SourceProgress['phase']): void;
}

/** Copies all volumes; resolves with their results once the receiver is done. Throws `PeerRestarted` when it must start over. */
export async function runSource(given: SourceOptions): Promise<readonly MoverVolumeResult[]> {
  const options = { ...given, caches: given.volumes.map((spec) => openTreeCache(spec, 'source', given)) };
  const { clock, connect, signal } = options;
  const stop = new AbortController();
  const results: MoverVolumeResult[] = [];
  const total = await measureAll(options);
  const { run, progress, scanEnded } = createRun(
    { ...options, total },
    results,
    AbortSignal.any([signal, stop.signal]),
  );
  try {
    const converse = converseAsSource.bind(undefined, run);
    await keepConversing({ connect, clock, signal, converse, progress });
    return results;
  } finally {
    stop.abort(new DOMException('The copy is over', 'AbortError'));
    await scanEnded();
  }
}

/** By volume: what was known of each when this attempt began. */
type CachingSource = SourceOptions & { readonly caches: readonly (TreeCache | undefined)[] };

/** What progress is measured against: of the last sync where that is known, as a walk of its own takes its time. */
async function measureAll(options: CachingSource): Promise<VolumeSize> {
  const { volumes, caches, pool, signal } = options;
  let [files, bytes] = [0, 0];
  for (const [at, spec] of volumes.entries()) {
    const known = caches[at]?.summary?.tree;
    const size = known ?? (await pool.run({ do: 'measure', root: spec.path, kind: spec.kind }, signal));
    files += size.files;
    bytes += size.bytes;
  }
  return { files, bytes };
}

function createRun(
  options: CachingSource & { readonly total: VolumeSize },
  results: MoverVolumeResult[],
  signal: AbortSignal,
) {
  const changed = createPulse();
  let at = 0;
  let volume = volumeAt(0);
  let scanning: Promise<void> | undefined;
  let scanFailure: { readonly error: unknown } | undefined;
  let progress = 0;
  let sentBefore = 0;
  let sent = 0;

  function volumeAt(index: number): SourceVolume | undefined {
    const spec = options.volumes[index];
    if (spec === undefined) return undefined;
    return sourceVolume(spec, rememberedScan(spec, options.caches[index], options), changed);
  }
  const run: SourceRun = {
    options,
    changed,
    total: options.total,
    peer: null,
    key: undefined,
    get at() {
      return at;
    },
    get volume() {
      return volume;
    },
    get isScanning() {
      return scanning !== undefined;
    },
    startScan(pushing) {
      const key = run.key ?? fail('ProtocolError', 'The peer asks for content before its greeting');
      scanning ??= volume?.scan(key, pushing, signal).catch((error: unknown) => {
        scanFailure = { error };
        changed.beat();
      });
    },
    checkScan() {
      if (scanFailure !== undefined) throw scanFailure.error;
    },
    finishVolume() {
      if (volume === undefined) return;
      const { digest, files, bytes } = volume.finish();
      const { bytesRead, blocksSent, warnings } = volume.counts;
      const { name } = volume.spec;
      volume.remember();
      results.push({ name, digest, files, bytes, bytesRead, bytesSent: sent, blocksSent, warnings, degraded: {} });
      sentBefore += sent;
      sent = 0;
      at++;
      volume = volumeAt(at);
      scanning = undefined;
      changed.beat();
    },
    countSent(bytes) {
      sent += bytes;
    },
    noteProgress() {
      progress++;
      changed.beat();
    },
    report(phase) {
      options.onProgress?.({
        phase,
        filesTotal: options.total.files,
        bytesTotal: options.total.bytes,
        files: results.reduce((sum, { files }) => sum + files, volume?.counts.files ?? 0),
        bytes: results.reduce((sum, { bytes }) => sum + bytes, volume?.counts.bytesScanned ?? 0),
        bytesSent: sentBefore + sent,
        volumes: volume === undefined ? results : [...results, currentOf(volume, sent)],
      });
    },
  };
  const scanEnded = async () => {
    await scanning;
    volume?.close();
  };
  return { run, progress: () => progress, scanEnded };
}

const currentOf = ({ spec, counts }: SourceVolume, bytesSent: number): MoverVolumeProgress => ({
  name: spec.name,
  bytesRead: counts.bytesRead,
  bytesSent,
});
