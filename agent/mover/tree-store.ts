/**
 * What movers know of volumes from one sync to the next, kept by their agent: one file a key, in a directory that may be lost at
 * any time (then a sync reads everything). Bounded in each file, in all, and in writes at a time; what was used longest ago goes first.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import { moverTreeLimitBytes } from './contract.ts';

export interface TreeStore {
  /** Undefined when nothing is kept. */
  read(key: string): Promise<{ readonly sizeBytes: number; readonly stream: Readable } | undefined>;
  /** Replaces what is kept, once all of it is here. @throws StorkError `TreeNotKept`, and the stream's own error */
  write(key: string, from: Readable): Promise<void>;
}

export interface TreeStoreOptions {
  /** Below it nothing else lives. */
  readonly directory: string;
  /** Of all files, those being written included. */
  readonly limitBytes: number;
  readonly clock: Clock;
  /** Of one file; `moverTreeLimitBytes` when undefined. */
  readonly fileLimitBytes?: number | undefined;
}

const writesAtOnce = 2;
const unfinished = '.new';

export function createTreeStore(options: TreeStoreOptions): TreeStore {
  const { directory, clock, fileLimitBytes = moverTreeLimitBytes } = options;
  let writing = 0;
  let writes = 0;
  const pathOf = (key: string) => join(directory, createHash('sha256').update(key).digest('hex'));
  /** What an agent that was killed left unfinished counts too, and is the oldest soon. */
  const makeRoom = async (own: ReadonlySet<string>) => {
    const files = await filesOf(directory);
    let total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) + writing * fileLimitBytes;
    for (const { path, sizeBytes } of files.filter(({ path }) => !own.has(path)).sort((a, b) => a.usedMs - b.usedMs)) {
      if (total <= options.limitBytes) return;
      await rm(path, { force: true });
      total -= sizeBytes;
    }
  };
  const inProgress = new Set<string>();
  return {
    async read(key) {
      const path = pathOf(key);
      try {
        const { size } = await stat(path);
        await utimes(path, clock.now(), clock.now());
        return { sizeBytes: size, stream: createReadStream(path) };
      } catch {
        // Lost is as good as never kept.
        return undefined;
      }
    },
    async write(key, from) {
      if (writing >= writesAtOnce) throw notKept('others are being written');
      const path = pathOf(key);
      const partial = `${path}-${writes++}${unfinished}`;
      writing++;
      inProgress.add(partial);
      try {
        await mkdir(directory, { recursive: true, mode: 0o700 });
        await makeRoom(inProgress);
        await pipeline(from, atMost(fileLimitBytes), createWriteStream(partial, { mode: 0o600 }));
        await utimes(partial, clock.now(), clock.now());
        await rename(partial, path);
      } finally {
        writing--;
        inProgress.delete(partial);
        await rm(partial, { force: true });
      }
    },
  };
}

async function filesOf(directory: string) {
  const found = (await readdir(directory)).map(async (name) => {
    const path = join(directory, name);
    const { size, mtimeMs } = await stat(path);
    return { path, sizeBytes: size, usedMs: mtimeMs };
  });
  const settled = await Promise.allSettled(found);
  return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}

/** Passes on no more than that. @throws StorkError `TreeNotKept` */
export function atMost(limitBytes: number): Transform {
  let sizeBytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) done(notKept(`it is larger than ${limitBytes} bytes`));
      else done(undefined, chunk);
    },
  });
}

const notKept = (why: string): StorkError =>
  new StorkError({ code: 'TreeNotKept', message: `What a mover knows is not kept: ${why}` });
