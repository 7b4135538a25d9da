/**
 * The receiving mover. `fresh`: writes into volumes provisioned for this run, then re-reads everything. `update`: scans its volumes
 * and compares them with what they should hold, receives into staging, waits for the gate, applies, re-reads everything.
 * Until `complete` lies in staging no byte of an updated volume changes; after it the peer isn't needed any more.
 */
import type { Clock } from '../../kube/clock.ts';
import { applyAndVerify } from './apply-and-verify.ts';
import type { RunKey } from './content-hash.ts';
import type { GateAnswer, MoverMode, MoverPhase, MoverVolumeResult } from './contract.ts';
import type { VolumeEnd, VolumeReady, VolumeStart } from './control-message.ts';
import { converseAsDestination, tellConcluded } from './destination-stream.ts';
import { type DestinationVolume, destinationVolume } from './destination-volume.ts';
import { assertMarkable, beginIncoming, endIncoming, failNotEmpty, mtimeOf } from './incoming-marker.ts';
import type { VolumeSize, WorkerPool } from './job.ts';
import { type ScanMemory, settledBefore } from './known-tree.ts';
import { fail } from './mover-error.ts';
import { assertComplete, assertExpected } from './other-writers.ts';
import type { OwnIndex } from './own-index.ts';
import { beginPhase } from './phase-progress.ts';
import { createPulse, type Pulse } from './pulse.ts';
import { assertPermitted } from './rehearse.ts';
import {
  keepRunKey,
  type RunState,
  readRunState,
  type StagedVolume,
  volumeDirectory,
  writeRunState,
} from './run-state.ts';
import { keepScanned, keptKey, scanOwn } from './scan-own.ts';
import { type Connect, keepConversing } from './session.ts';
import type { VolumeSpec } from './source-volume.ts';
import { type StagingSink, stagingFiles, stagingSink } from './staging.ts';
import type { Syscalls } from './syscalls.ts';
import { type CacheOptions, openTreeCache, type TreeCache } from './tree-cache.ts';
import { isSameTree, wholeOf } from './tree-digest.ts';
import { Verdict } from './verdict.ts';
import { resultOf, verifyVolumes } from './verify-volume.ts';
import { volumeKeeper } from './volume-keeper.ts';
import { freshSink, provingSink, type VolumeSink } from './volume-sink.ts';
import { volumeWriter } from './volume-writer.ts';

export interface DestinationSpec extends VolumeSpec {
  /** The digest its last complete point had; `update` refuses when the volume is anything else. */
  readonly expectDigest?: string | undefined;
}

export interface DestinationOptions {
  readonly run: string;
  /** Unique for each call. */
  readonly instance: string;
  readonly mode: MoverMode;
  readonly volumes: readonly DestinationSpec[];
  /** Whether content that nobody expects may be overwritten: none, any, or what an interrupted update of this run has made of it. */
  readonly existing: 'Refuse' | 'Overwrite' | 'Redo';
  /** How long after the last renewal of its mark a killed mover of this run may have written; `writeLeaseMs` when undefined. */
  readonly writeLeaseMs?: number | undefined;
  readonly staging: { readonly directory: string; readonly limitBytes: number };
  /** Unpredictable bytes, for a new run's key. */
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
  /** Asks until the answer is Go or Refused. */
  readonly awaitGate: (signal: AbortSignal) => Promise<Exclude<GateAnswer, { readonly state: 'Wait' }>>;
  readonly connect: Connect;
  readonly pool: WorkerPool;
  readonly syscalls: Syscalls;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: DestinationProgress) => void) | undefined;
  /** What the volumes held after their last complete point; nothing is kept when undefined. */
  readonly cache?: CacheOptions | undefined;
}

/** With the run's key: made by its first attempt, kept in staging. */
export type KeyedDestination = DestinationOptions & {
  readonly key: RunKey;
  /** By volume: what was known of each when this attempt began. */
  readonly caches: readonly (TreeCache | undefined)[];
};

export interface DestinationProgress {
  readonly phase: MoverPhase;
  readonly files: number;
  readonly filesTotal: number;
  readonly bytes: number;
  readonly bytesTotal: number;
  readonly bytesSent: number;
}

interface CurrentVolume {
  readonly spec: DestinationSpec;
  readonly sizeBytes: number;
  readonly own: OwnIndex;
  readonly met: 'Expected' | 'Unproven';
  readonly sink: VolumeSink;
  readonly staging: StagingSink | undefined;
  readonly volume: DestinationVolume;
  readonly pushing: ReadyFor;
}

/** What the sender may send without being asked. */
export type ReadyFor = Pick<VolumeReady, 'pushAfter' | 'base' | 'whole'>;

/** What outlasts streams. */
export interface DestinationRun {
  readonly options: KeyedDestination;
  readonly changed: Pulse;
  readonly at: number;
  readonly current: CurrentVolume | undefined;
  peer: string | null;
  /** Of all volumes, as the sender measured them. */
  total: VolumeSize;
  /** Scans our volume. */
  beginVolume(start: VolumeStart): Promise<ReadyFor>;
  endVolume(end: VolumeEnd): Promise<void>;
  /** Makes everything received safe; repeatable. */
  conclude(): Promise<void>;
  /** Throws what failed in the background. */
  check(): void;
  countReceived(bytes: number): void;
  noteProgress(): void;
  report(phase: MoverPhase): void;
}

/**
 * Receives all volumes; resolves with their results, verified. Throws Verdict for an answer that is no failure
 * (`DestinationChanged`, `NeedsScratch`, `Refused`), `PeerRestarted` when it must start over.
 */
export async function runDestination(given: DestinationOptions): Promise<readonly MoverVolumeResult[]> {
  const { clock, connect, signal, staging } = given;
  const before = readRunState(staging.directory, given.run);
  const caches = given.volumes.map((spec) => openTreeCache(spec, 'destination', given));
  const newKey = (sizeBytes: number) => keptKey(given, caches) ?? given.randomBytes(sizeBytes);
  const key = keepRunKey({ staging: staging.directory, run: given.run, before }, newKey);
  const options = { ...given, key, caches };
  if (before !== undefined) return await releasingSource(options, () => finishAlone(options, before));
  const { run, progress, state, scans, close } = createRun(options);
  try {
    await keepConversing({ connect, clock, signal, converse: converseAsDestination.bind(undefined, run), progress });
  } finally {
    await close();
  }
  const received = state() ?? fail('MoverFault', 'The run ended without a result');
  return received.stage === 'Done' ? received.results : await applyAndVerify(options, received, scans);
}

function createRun(options: KeyedDestination) {
  const { pool, key, syscalls, staging } = options;
  const changed = createPulse();
  const finished: StagedVolume[] = [];
  const ended: CurrentVolume[] = [];
  /** By volume; a raw device tells nobody when it was written. */
  const scans: ScanMemory[] = [];
  let at = 0;
  let current: CurrentVolume | undefined;
  let beginning: Promise<CurrentVolume> | undefined;
  let state: RunState | undefined;
  let unproven: { readonly error: unknown } | undefined;
  let progress = 0;
  let received = 0;
  let receivedBefore = 0;

  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const begin = async (start: VolumeStart): Promise<CurrentVolume> => {
    const spec = options.volumes[start.volume] ?? fail('ProtocolError', 'A volume that nobody expects');
    if (spec.name !== start.name) fail('VolumesDiffer', `The source sends volume ${start.name} as ${spec.name}`);
    if (spec.kind !== start.kind)
      fail('VolumeKindDiffers', `Volume ${spec.name} is ${spec.kind} here, ${start.kind} there`);
    const onProgress = beginPhase(options, 'Scanning', { total: run.total, bytesSent: receivedBefore });
    const directory = volumeDirectory(staging.directory, options.run, start.volume);
    const sizeBytes = spec.kind === 'block' ? start.sizeBytes : undefined;
    const file = stagingFiles(directory).index;
    if (options.mode === 'update') assertMarkable(spec, syscalls);
    if (options.mode === 'update' && spec.kind === 'files') {
      // What the scan then reads is what storage has.
      await pool.run({ do: 'sync', root: spec.path, kind: spec.kind }, signal);
    }
    const isFresh = options.mode === 'fresh';
    const settledNs = settledBefore(options.clock.now());
    const scan = { key, root: spec.path, kind: spec.kind, sizeBytes, file, settledNs, pool, syscalls, signal };
    const own = await scanOwn(start.volume, { ...scan, fromStorage: !isFresh, onProgress }, options);
    if (!isFresh && spec.kind === 'files') {
      const { file: scanned, root, basis } = own;
      scans[start.volume] = { file: scanned, root, basis, settledNs };
    }
    own.survey().catch((error: unknown) => {
      unproven = { error };
      changed.beat();
    });
    const met = isFresh ? beginIncoming(spec, own, options) : await assertExpected(spec, own, options);
    const staged = isFresh ? undefined : stagingSink({ directory, limitBytes: staging.limitBytes, pool, key });
    const sink =
      staged ??
      (met === 'Unproven'
        ? provingSink(() => failNotEmpty(spec, own))
        : freshSink(volumeWriter(spec.path, pool, { key, check: 'ReadBack' })));
    const isMet = met === 'Expected' && spec.kind === 'files';
    const base = !isFresh && isMet ? own.tree.parts.content : null;
    const whole = base === null ? null : wholeOf(own.tree);
    const pushing = { pushAfter: isFresh && isMet ? own.lastPath : null, base, whole };
    const volume = destinationVolume({ root: spec.path, own, sink, pool, key, changed, told: pushing });
    return { spec, sizeBytes: start.sizeBytes, own, met, sink, staging: staged, volume, pushing };
  };
  const run: DestinationRun = {
    options,
    changed,
    peer: null,
    total: { files: 0, bytes: 0 },
    get at() {
      return at;
    },
    get current() {
      return current;
    },
    async beginVolume(start) {
      if (start.volume !== at) fail('ProtocolError', 'Volumes arrive out of order');
      beginning ??= begin(start);
      current = await beginning;
      return current.pushing;
    },
    async endVolume(end) {
      if (current === undefined || end.volume !== at) return fail('ProtocolError', 'A volume ends that has not begun');
      await current.volume.finish(end.items, end.tree);
      // Before anything is concluded the volume is proven to be what its index says.
      const { fingerprint } = await current.own.survey();
      const { counts } = current.volume;
      const { name, kind, path } = current.spec;
      const { content } = current.own.tree.parts;
      const rootTime = kind === 'files' ? { rootTime: `${mtimeOf(path)}` } : {};
      finished.push({
        name,
        sizeBytes: current.sizeBytes,
        before: { content, fingerprint, ...rootTime },
        planned: current.sink.planned,
        tree: end.tree,
        warnings: end.warnings,
        degraded: current.sink.degraded,
        bytesRead: current.own.bytesRead + counts.bytesRead,
        bytesSent: received,
        blocksSent: counts.blocks,
      });
      current.own.close();
      ended.push(current);
      receivedBefore += received;
      received = 0;
      current = undefined;
      beginning = undefined;
      at++;
      return undefined;
    },
    async conclude() {
      if (at < options.volumes.length) fail('ProtocolError', 'The run ends before its last volume');
      state ??=
        options.mode === 'fresh' ? await concludeFresh(options, finished) : concludeStaged(options, finished, ended);
    },
    check() {
      if (unproven !== undefined) throw unproven.error;
      current?.volume.check();
    },
    countReceived(bytes) {
      received += bytes;
    },
    noteProgress() {
      progress++;
    },
    report(phase) {
      options.onProgress?.({
        phase,
        files: finished.reduce((sum, { tree }) => sum + tree.files, current?.volume.counts.files ?? 0),
        filesTotal: run.total.files,
        bytes: finished.reduce((sum, { tree }) => sum + tree.bytes, current?.volume.counts.bytes ?? 0),
        bytesTotal: run.total.bytes,
        bytesSent: receivedBefore + received,
      });
    },
  };
  const close = async () => {
    over.abort(new DOMException('The run is over', 'AbortError'));
    await current?.volume.idle();
    for (const { staging: open } of [...ended, ...(current === undefined ? [] : [current])]) open?.close();
  };
  return { run, progress: () => progress, state: () => state, scans, close };
}

/** After a restart the peer isn't needed any more; but it may not know that. */
async function finishAlone(options: KeyedDestination, before: RunState): Promise<readonly MoverVolumeResult[]> {
  if (before.stage !== 'Done') return await applyAndVerify(options, before);
  unmark(options);
  return before.results;
}

/** How long after the work a source that may still wait is told that it can go: a little more than its longest pause. */
const releaseSourceMs = 6_000;

async function releasingSource<T>(options: KeyedDestination, work: () => Promise<T>): Promise<T> {
  const { clock, connect } = options;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const converse = tellConcluded.bind(undefined, options);
  const told = keepConversing({
    connect,
    clock,
    signal,
    converse,
    progress: () => 0,
    patienceMs: releaseSourceMs,
  }).catch(
    // Nobody waits for it, or it will give up by itself.
    () => undefined,
  );
  try {
    const result = await work();
    await Promise.race([told, clock.sleep(releaseSourceMs, options.signal)]);
    return result;
  } finally {
    stop.abort(new DOMException('The run is over', 'AbortError'));
    await told;
  }
}

async function concludeFresh(options: KeyedDestination, volumes: readonly StagedVolume[]): Promise<RunState> {
  const keeper = volumeKeeper(options);
  try {
    const results = await verifyVolumes(volumes, options, { keeper });
    const state = writeRunState(options.staging.directory, { stage: 'Done', run: options.run, results });
    unmark(options);
    keeper.keep();
    return state;
  } finally {
    keeper.drop();
  }
}

/** After `Done` is written: a volume without a marker and without that state would be taken for somebody's data. */
function unmark({ volumes, run, syscalls }: DestinationOptions): void {
  for (const spec of volumes) endIncoming(spec, { run, syscalls });
}

function concludeStaged(
  options: KeyedDestination,
  volumes: readonly StagedVolume[],
  ended: readonly CurrentVolume[],
): RunState {
  for (const volume of ended.filter(({ met }) => met === 'Unproven'))
    assertComplete(volume.spec, isEqualAlready(volume, volumes));
  const missing = ended.reduce((sum, { staging }) => sum + (staging?.missingBytes ?? 0), 0);
  const staged = ended.reduce((sum, { staging }) => sum + (staging?.stagedBytes ?? 0), 0);
  if (missing > 0) {
    const needed = Math.ceil((staged + missing) * 1.1) + scratchReserveBytes;
    throw new Verdict('NeedsScratch', `Staging needs ${needed} bytes`, needed);
  }
  if (ended.every((volume) => isEqualAlready(volume, volumes))) {
    const results = volumes.map((volume) => resultOf(volume, volume.tree));
    const state = writeRunState(options.staging.directory, { stage: 'Done', run: options.run, results });
    unmark(options);
    for (const [volume, { own }] of ended.entries()) keepScanned(volume, own, options);
    return state;
  }
  for (const [index, { spec, staging }] of ended.entries()) {
    staging?.sync();
    assertPermitted(spec, volumeDirectory(options.staging.directory, options.run, index), options.syscalls);
  }
  return writeRunState(options.staging.directory, { stage: 'Staged', run: options.run, volumes });
}

/** Nothing is to be written: the scan, which read all of it from storage, has proven that it is what the source has. */
function isEqualAlready({ spec, own, staging }: CurrentVolume, volumes: readonly StagedVolume[]): boolean {
  const tree = volumes.find(({ name }) => name === spec.name)?.tree;
  return staging?.plansChanges === false && tree !== undefined && isSameTree(own.tree, tree);
}

const scratchReserveBytes = 16 * 1024 * 1024;
