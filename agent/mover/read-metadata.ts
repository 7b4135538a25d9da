/** Of one entry, what lstat doesn't show; and counting what happens on the way. In worker threads. */
import { readlinkSync } from 'node:fs';
import type { Counts } from './contract.ts';
import { errnoOf, fail } from './mover-error.ts';
import type { ByteString, Syscalls, Xattr } from './syscalls.ts';
import { shownPath, type WithinVolume } from './within-volume.ts';

/** Undefined when there is nothing; `gone` when the entry is. */
export function detailOf(
  volume: WithinVolume,
  entry: { readonly path: ByteString; readonly type: string },
  syscalls: Syscalls,
): { readonly target: ByteString; readonly xattrs: readonly Xattr[] } | 'gone' | undefined {
  if (entry.type === 'hardlink' || entry.type === 'volume') return undefined;
  try {
    const path = volume.at(entry.path);
    const target = entry.type === 'symlink' ? readlinkSync(Buffer.from(path, 'latin1'), 'latin1') : '';
    const xattrs = syscalls.listXattrs(path);
    return target === '' && xattrs.length === 0 ? undefined : { target, xattrs };
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'EINVAL' || code === 'ENOTDIR') return 'gone';
    return fail(
      'VolumeUnreadable',
      `Reading metadata failed with ${code ?? String(error)}`,
      shownPath(volume.root, entry.path),
    );
  }
}

export function counter(): { readonly counts: Counts; add(kind: string, by?: number): void } {
  const counts: Record<string, number> = {};
  return {
    counts,
    add(kind, by = 1) {
      counts[kind] = (counts[kind] ?? 0) + by;
    },
  };
}
