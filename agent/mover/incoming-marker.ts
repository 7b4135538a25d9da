/**
 * A volume is marked while this run writes to it: a fresh one while it is filled, an existing one while its update is applied.
 * So a restarted mover knows its own unfinished work from somebody's data, even when all else it had is lost. The mark of an
 * update is renewed as long as the mover writes: what changed much later than the last renewal was changed by somebody else.
 */
import { lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Clock } from '../../kube/clock.ts';
import type { DestinationOptions, DestinationSpec } from './destination-run.ts';
import { errnoOf, fail } from './mover-error.ts';
import type { OwnIndex } from './own-index.ts';
import type { ByteString, Syscalls } from './syscalls.ts';
import { incomingMarker } from './walk.ts';

export interface VolumeMark {
  readonly run: string;
  /** When the mover last said that it writes, by the clock of the file system. */
  readonly renewedNs: bigint;
}

/**
 * Marks a volume that should be new. `Unproven`: it holds files and no mark, and stays unmarked. Either somebody's data, or this
 * run was complete, took its mark away, and whoever was to tell that died with its node: what the source sends will tell.
 */
export function beginIncoming(
  spec: DestinationSpec,
  own: OwnIndex,
  options: DestinationOptions,
): 'Expected' | 'Unproven' {
  if (spec.kind === 'block') return 'Expected';
  const isEmpty = own.tree.files <= 1;
  const mark = findMark(spec.path);
  if (!isEmpty && options.existing === 'Refuse' && mark?.run !== options.run) {
    if (mark === undefined) return 'Unproven';
    failNotEmpty(spec, own);
  }
  writeFileSync(markerOf(spec.path), options.run, { mode: 0o600, flush: true });
  return 'Expected';
}

export const failNotEmpty = (spec: DestinationSpec, own: OwnIndex): never =>
  fail(
    'DestinationNotEmpty',
    `Volume ${spec.name} should be new but holds ${own.tree.files - 1} files that we did not write`,
  );

/** Marks volumes whose update begins, and leaves their roots' times as they were. A raw device has no room for a mark. */
export function beginUpdate(volumes: readonly DestinationSpec[], run: string, syscalls: Syscalls): void {
  for (const { path, kind } of volumes) {
    if (kind === 'block') continue;
    const { mtimeNs } = lstatSync(Buffer.from(path, 'latin1'), { bigint: true });
    writeFileSync(markerOf(path), run, { mode: 0o600, flush: true });
    syscalls.setMtime(path, mtimeNs);
  }
}

/** Renews the marks again and again until it is disposed. */
export function keepMarked(
  volumes: readonly DestinationSpec[],
  { run, clock, everyMs }: { readonly run: string; readonly clock: Clock; readonly everyMs: number },
): Disposable {
  const renew = () => {
    for (const { path, kind } of volumes) if (kind === 'files') renewMark(path, run);
    timer = clock.after(everyMs, renew);
  };
  let timer = clock.after(everyMs, renew);
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

function renewMark(root: ByteString, run: string): void {
  try {
    writeFileSync(markerOf(root), run, { flag: 'r+' });
  } catch {
    // A volume that can't be written fails what is written to it, and says so there.
  }
}

/** Takes the marker away and leaves the root's times as they were. */
export function endIncoming(spec: DestinationSpec, syscalls: Syscalls): void {
  if (spec.kind === 'block' || findMark(spec.path) === undefined) return;
  const { mtimeNs } = lstatSync(Buffer.from(spec.path, 'latin1'), { bigint: true });
  rmSync(markerOf(spec.path), { force: true });
  syscalls.setMtime(spec.path, mtimeNs);
}

export function findMark(root: ByteString): VolumeMark | undefined {
  const path = markerOf(root);
  try {
    return { run: readFileSync(path, 'utf8'), renewedNs: lstatSync(path, { bigint: true }).mtimeNs };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

const markerOf = (root: ByteString): Buffer => Buffer.from(`${root}/${incomingMarker}`, 'latin1');
