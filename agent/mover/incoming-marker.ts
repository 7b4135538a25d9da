/**
 * A fresh volume is marked while it is being filled, so that a restarted mover knows its own unfinished work from somebody's data:
 * a volume that holds files and no marker of this run is refused.
 */
import { lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { DestinationOptions, DestinationSpec } from './destination-run.ts';
import { errnoOf, fail } from './mover-error.ts';
import type { OwnIndex } from './own-index.ts';
import type { ByteString, Syscalls } from './syscalls.ts';
import { incomingMarker } from './walk.ts';

export function beginIncoming(spec: DestinationSpec, own: OwnIndex, options: DestinationOptions): void {
  if (spec.kind === 'block') return;
  const path = markerOf(spec.path);
  const isEmpty = own.tree.files <= 1;
  if (!isEmpty && options.existing === 'Refuse' && markedRun(path) !== options.run) {
    fail(
      'DestinationNotEmpty',
      `Volume ${spec.name} should be new but holds ${own.tree.files - 1} files that we did not write`,
    );
  }
  writeFileSync(path, options.run, { mode: 0o600, flush: true });
}

/** Takes the marker away and leaves the root's times as they were. */
export function endIncoming(spec: DestinationSpec, syscalls: Syscalls): void {
  if (spec.kind === 'block') return;
  const { mtimeNs } = lstatSync(Buffer.from(spec.path, 'latin1'), { bigint: true });
  rmSync(markerOf(spec.path), { force: true });
  syscalls.setMtime(spec.path, mtimeNs);
}

const markerOf = (root: ByteString): Buffer => Buffer.from(`${root}/${incomingMarker}`, 'latin1');

function markedRun(path: Buffer): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
