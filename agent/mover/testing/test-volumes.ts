/** For tests: temporary volumes, a copy between two engines in this process over an in-memory stream, seeded chance. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import { systemClock } from '../../../kube/clock.ts';
import { runKeyBytes } from '../content-hash.ts';
import type { MoverMode, MoverVolumeResult } from '../contract.ts';
import { type DestinationOptions, runDestination } from '../destination-run.ts';
import { digestVolume } from '../digest-volume.ts';
import type { WorkerPool } from '../job.ts';
import { type Connect, startsOver } from '../session.ts';
import { runSource, type SourceOptions } from '../source-run.ts';
import { openSyscalls } from '../syscalls.ts';
import type { TreeDigest } from '../tree-digest.ts';
import type { VolumeKind } from '../walk.ts';
import { inlinePool } from '../worker-pool.ts';

export interface Scratch extends Disposable {
  readonly root: string;
  path(name: string): string;
}

export function scratch(): Scratch {
  const root = mkdtempSync(join(tmpdir(), 'stork-mover-'));
  return {
    root,
    path: (name) => join(root, name),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Streams in pairs: the n-th of one side meets the n-th of the other. `cut` breaks the current pair. */
export function memoryRelay(): { readonly source: Connect; readonly destination: Connect; cut(): void } {
  const waiting: { readonly side: string; readonly resolve: (stream: Duplex) => void }[] = [];
  let current: readonly Duplex[] = [];
  const connect =
    (side: string): Connect =>
    (signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        const at = waiting.findIndex((other) => other.side !== side);
        const other = at < 0 ? undefined : waiting.splice(at, 1)[0];
        if (other === undefined) return void waiting.push({ side, resolve });
        const [mine, theirs] = duplexPair();
        for (const [one, two] of [
          [mine, theirs],
          [theirs, mine],
        ] as const) {
          one.on('close', () => two.destroy());
        }
        current = [mine, theirs];
        resolve(mine);
        return other.resolve(theirs);
      });
  return {
    source: connect('source'),
    destination: connect('destination'),
    cut: () => {
      for (const stream of current) stream.destroy();
    },
  };
}

export interface CopyOptions {
  readonly from: string;
  readonly to: string;
  readonly staging: string;
  readonly mode?: MoverMode;
  readonly kind?: VolumeKind;
  readonly run?: string;
  readonly expectDigest?: string | undefined;
  readonly pool?: WorkerPool;
  readonly relay?: ReturnType<typeof memoryRelay>;
  readonly source?: Partial<SourceOptions>;
  readonly destination?: Partial<DestinationOptions>;
}

export interface CopyResult {
  readonly source: MoverVolumeResult;
  readonly destination: MoverVolumeResult;
}

let instances = 0;

/** One volume from one directory (or device file) to another, by two real engines. */
export async function copyVolume(options: CopyOptions): Promise<CopyResult> {
  const { from, to, staging, mode = 'fresh', kind = 'files', run = 'run-1' } = options;
  const relay = options.relay ?? memoryRelay();
  const stop = new AbortController();
  const common = {
    run,
    pool: options.pool ?? inlinePool(),
    syscalls: openSyscalls(),
    clock: systemClock(),
    signal: stop.signal,
  };
  const sourceOptions: Omit<SourceOptions, 'instance'> = {
    ...common,
    volumes: [{ name: 'data', path: from, kind }],
    connect: relay.source,
    ...options.source,
  };
  const destinationOptions: Omit<DestinationOptions, 'instance'> = {
    ...common,
    mode,
    volumes: [{ name: 'data', path: to, kind, expectDigest: options.expectDigest }],
    existing: 'Refuse',
    staging: { directory: staging, limitBytes: 2 ** 40 },
    randomBytes,
    awaitGate: async () => ({ state: 'Go' }),
    connect: relay.destination,
    ...options.destination,
  };
  const source = again(() => runSource({ instance: `source-${instances++}`, ...sourceOptions }));
  const destination = again(() => runDestination({ instance: `destination-${instances++}`, ...destinationOptions }));
  const ended = await Promise.allSettled(
    [source, destination].map((side) => side.catch((error) => stopWith(error, stop))),
  );
  const [sent, received] = ended;
  if (received?.status === 'rejected') throw received.reason;
  if (sent?.status === 'rejected') throw sent.reason;
  const [one] = sent?.value ?? [];
  const [two] = received?.value ?? [];
  if (two === undefined) throw new Error('no result');
  // A source that is told that all is safe already has nothing to say.
  return { source: one ?? two, destination: two };
}

/** As movers do: an engine that can't go on is followed by another. */
async function again<T>(run: () => Promise<T>): Promise<T> {
  for (let times = 0; ; times++) {
    try {
      return await run();
    } catch (error) {
      if (!startsOver(error) || times >= restartsLimit) throw error;
    }
  }
}

const restartsLimit = 10;

function stopWith(error: unknown, stop: AbortController): never {
  stop.abort(error);
  throw error;
}

export async function digestOf(root: string, kind: VolumeKind = 'files'): Promise<TreeDigest> {
  return await digestVolume({
    key: randomBytes(runKeyBytes),
    root,
    kind,
    pool: inlinePool(),
    syscalls: openSyscalls(),
  });
}

/** The same numbers for the same seed: xorshift32 in [0, 1). */
export function seededChance(seed: number): () => number {
  let state = seed * 2_654_435_761 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export function chanceBytes(chance: () => number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(Math.floor(chance() * 2 ** 32), at);
  return bytes;
}
