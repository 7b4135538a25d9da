/**
 * How much there is to copy, for the progress that people watch: the sum of file sizes, by one walk without reading.
 * An estimate: what can't be read counts nothing, hard links count each time, and a tree that changes is not followed.
 */
import { lstatSync, opendirSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { VolumeSpec } from './source-volume.ts';

/** Entries between two turns of the event loop. */
const slice = 500;

/** Bytes so far in all volumes; counts on in the background until `done` settles or the signal aborts. */
export interface Measurement {
  readonly bytes: number;
  readonly complete: boolean;
  readonly done: Promise<void>;
}

export function measureVolumes(volumes: readonly VolumeSpec[], signal: AbortSignal): Measurement {
  const state = { bytes: 0, complete: false };
  const done = (async () => {
    for (const volume of volumes) {
      if (volume.kind === 'files') await measureTree(Buffer.from(volume.path, 'latin1'), state, signal);
    }
    state.complete = volumes.every(({ kind }) => kind === 'files');
  })();
  done.catch(() => {});
  return {
    get bytes() {
      return state.bytes;
    },
    get complete() {
      return state.complete;
    },
    done,
  };
}

async function measureTree(root: Buffer, state: { bytes: number }, signal: AbortSignal): Promise<void> {
  const folders = [root];
  let seen = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    using directory = openFolder(folder);
    if (directory === undefined) continue;
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      // The name's bytes, one character each: names need not be UTF-8.
      const path = Buffer.concat([folder, Buffer.from('/'), Buffer.from(entry.name, 'latin1')]);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile()) state.bytes += sizeOf(path);
      if (++seen % slice === 0) await setImmediate(undefined, { signal });
    }
  }
}

function openFolder(path: Buffer) {
  try {
    return opendirSync(path, { encoding: 'latin1' });
  } catch {
    // Gone or unreadable: the copy itself says so, an estimate needn't.
    return undefined;
  }
}

function sizeOf(path: Buffer): number {
  return lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
