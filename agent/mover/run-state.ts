/**
 * How far a destination's run is, in one small file that is replaced atomically and is on storage before anybody acts on it:
 * `Staged` (everything received, volume untouched), `Applying` (the gate opened, redo until done), `Done` (verified, with results).
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type RunKey, runKeyBytes } from './content-hash.ts';
import type { Counts, MoverVolumeResult } from './contract.ts';
import type { VolumeSize } from './job.ts';
import { errnoOf, fail } from './mover-error.ts';
import { shortRunName } from './run-name.ts';
import type { TreeDigest } from './tree-digest.ts';

export interface StagedVolume {
  readonly name: string;
  /** Of a block device; 0 for files. */
  readonly sizeBytes: number;
  /** What it held when the plan was made: must still be so when the plan is carried out. */
  readonly before: {
    readonly content: string;
    readonly fingerprint: string;
    /** In ns since 1970: a mover that was killed between marking the root and setting its time back finds it here. A raw device has none. */
    readonly rootTime?: string;
  };
  /** What the plan writes. */
  readonly planned: VolumeSize;
  /** What the source sent: what the volume must hold in the end. */
  readonly tree: TreeDigest;
  readonly warnings: Counts;
  readonly degraded: Counts;
  readonly bytesRead: number;
  readonly bytesSent: number;
  readonly blocksSent: number;
}

export type RunState =
  | { readonly stage: 'Staged' | 'Applying'; readonly run: string; readonly volumes: readonly StagedVolume[] }
  | { readonly stage: 'Done'; readonly run: string; readonly results: readonly MoverVolumeResult[] };

/** Where a volume's index, blobs and plan lie; made when missing. Runs never share a directory. */
export function volumeDirectory(staging: string, run: string, volume: number): string {
  const directory = join(staging, shortRunName(run), String(volume));
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}

/**
 * The run's key: the same for all its attempts, so that what was staged is found again; lost with the staging, and then new.
 * @param before what an earlier attempt wrote down: worth nothing without the key that it was verified with
 */
export function keepRunKey(
  { staging, run, before }: { readonly staging: string; readonly run: string; readonly before: RunState | undefined },
  randomBytes: (sizeBytes: number) => Uint8Array,
): RunKey {
  const directory = join(staging, shortRunName(run));
  const path = join(directory, 'key');
  const kept = readKey(path);
  if (kept?.length === runKeyBytes) return kept;
  if (before !== undefined && before.stage !== 'Done')
    return fail('StagingDamaged', 'Staging lacks the key that its content was verified with', path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const key = randomBytes(runKeyBytes);
  writeSafely(path, key);
  return key;
}

function readKey(path: string): RunKey | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Undefined before anything is complete. */
export function readRunState(staging: string, run: string): RunState | undefined {
  try {
    const state = assertRunState(JSON.parse(readFileSync(join(staging, shortRunName(run), 'state'), 'utf8')));
    if (state.run !== run) fail('StagingOfAnotherRun', `Staging holds run ${state.run}`);
    return state;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function writeRunState(staging: string, state: RunState): RunState {
  const directory = join(staging, shortRunName(state.run));
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeSafely(join(directory, 'state'), JSON.stringify(state));
  return state;
}

/** Replaced as a whole, and on storage when this returns. */
function writeSafely(path: string, content: string | Uint8Array): void {
  writeFileSync(`${path}.new`, content, { flush: true, mode: 0o600 });
  renameSync(`${path}.new`, path);
  const fd = openSync(dirname(path), 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** What was staged is kept, and found by its hash. */
export function forgetRunState(staging: string, run: string): void {
  rmSync(join(staging, shortRunName(run), 'state'), { force: true });
}

// Only we write this file, below a directory of our own, replaced atomically.
function assertRunState(value: unknown): RunState {
  return value as RunState;
}
