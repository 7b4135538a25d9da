/** Reads a part of a raw device and makes blobs of it. The device is an open descriptor: every thread reads at its own places. */
import { readSync } from 'node:fs';
import { errnoOf } from '../../mover/mover-error.ts';
import type { Syscalls } from '../../mover/syscalls.ts';
import type { DeviceJob, Problem } from './backup-job.ts';
import type { ContentReader } from './save-content.ts';

export interface DeviceSaver {
  /** Ids of its blocks; with a problem they are not all. */
  save(job: DeviceJob): { readonly ids: readonly string[]; readonly problems: readonly Problem[] };
  readonly counts: { bytesRead: number };
}

export function deviceSaver(content: ContentReader, syscalls: Syscalls): DeviceSaver {
  const counts = { bytesRead: 0 };
  return {
    counts,
    save({ fd, offset, length }) {
      try {
        // What the kernel has cached of a device may be older than what a file system on it, or another node, has written since.
        syscalls.readAnew(fd, offset, length);
        const { ids, bytes } = content.save(fd, { offset, length, chunking: 'pages' });
        counts.bytesRead += bytes;
        if (bytes === length) return { ids, problems: [] };
        return { ids, problems: [{ kind: 'changed', name: '', message: `ends at byte ${offset + bytes}` }] };
      } catch (error) {
        const code = errnoOf(error);
        if (code === undefined) throw error;
        const message = `${code} at byte ${firstUnreadable(fd, offset, length)}`;
        return { ids: [], problems: [{ kind: 'unreadable', name: '', message }] };
      }
    },
  };
}

const stepBytes = 4096;

/** Of a part that can't be read whole. */
function firstUnreadable(fd: number, offset: number, length: number): number {
  const bytes = Buffer.alloc(stepBytes);
  let at = offset;
  try {
    for (; at < offset + length; at += stepBytes) readSync(fd, bytes, 0, stepBytes, at);
    // It could be read this time.
    return offset;
  } catch {
    return at;
  }
}
