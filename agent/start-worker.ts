/**
 * Starts a worker thread from one of our files, alike when we run from source and inside the single executable,
 * where no file of ours exists on disk. Worker entries are the files of agent/ named `worker.ts` or `*-worker.ts`:
 * the build gives each its own chunk.
 */
import { createRequire } from 'node:module';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/** A worker entry below agent/, without its ending: `mover/worker`. */
export type WorkerEntry = `${string}worker`;

/**
 * @param entry for example `mover/worker` for agent/mover/worker.ts
 * @param options passed on; `eval` is ours to decide
 */
export function startWorker(entry: WorkerEntry, options: Omit<WorkerOptions, 'eval'> = {}): Worker {
  const embedded = embeddedWorkerSource(entry);
  return embedded === undefined
    ? new Worker(new URL(`./${entry}.ts`, import.meta.url), options)
    : new Worker(embedded, { ...options, eval: true });
}

/** The source that loads an entry's chunk, or undefined when we run from files. `scripts/build/bundle.ts` writes its asset. */
function embeddedWorkerSource(entry: WorkerEntry): string | undefined {
  const sea = createRequire(import.meta.url)('node:sea') as typeof import('node:sea');
  if (!sea.isSea()) return undefined;
  return `${sea.getAsset('worker-loader.js', 'utf8')}\nloadChunk(${JSON.stringify(`./${entry.replaceAll('/', '-')}.js`)});`;
}
