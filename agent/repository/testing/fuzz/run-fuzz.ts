/**
 * For tests: seeds one after the other, each a damaged document and its parser. Any seed can be tried again by itself.
 * tidy: ambient-calls because a parser that never ends is noticed by the real clock only.
 */
import { Worker } from 'node:worker_threads';
import type { FuzzMessage, FuzzThreadData } from './fuzz-worker.ts';

export interface FuzzReport {
  readonly accepted: number;
  readonly found: readonly { readonly seed: number; readonly problem: string }[];
}

/** Of the thread's heap; buffers lie beside it. */
const heapMb = 512;
/** Far beyond what one case takes on any machine. */
const stuckAfterMs = 120_000;

/** A thread that dies is found in the case that it was at; the next begins with the one after. */
export async function runFuzz(first: number, runs: number): Promise<FuzzReport> {
  const found: FuzzReport['found'][number][] = [];
  let accepted = 0;
  const at = new SharedArrayBuffer(8);
  const now = new Float64Array(at);
  for (let from = first; from < first + runs; ) {
    now[0] = from;
    const died = await runThread({ from, to: first + runs, at }, (message) => {
      if (message.is === 'done') accepted += message.accepted;
      else found.push(message);
    });
    if (died === undefined) break;
    found.push({ seed: now[0], problem: died });
    from = now[0] + 1;
  }
  return { accepted, found };
}

/** Why it died; undefined when it came to its end. */
function runThread(data: FuzzThreadData, onMessage: (message: FuzzMessage) => void): Promise<string | undefined> {
  const worker = new Worker(new URL('./fuzz-worker.ts', import.meta.url), {
    workerData: data,
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
  });
  const now = new Float64Array(data.at);
  return new Promise((resolve) => {
    let before = -1;
    const watch = setInterval(() => {
      if (now[0] === before) void worker.terminate().then(() => resolve('it does not end'));
      before = now[0] ?? -1;
    }, stuckAfterMs);
    const end = (why: string | undefined) => {
      clearInterval(watch);
      resolve(why);
    };
    worker.on('message', (message: FuzzMessage) => {
      onMessage(message);
      if (message.is === 'done') end(undefined);
    });
    worker.on('error', (error) => end(`the thread died: ${String(error)}`));
    worker.on('exit', () => end('the thread ended without a word'));
  });
}
