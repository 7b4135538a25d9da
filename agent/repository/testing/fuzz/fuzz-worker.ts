/** For tests: tries case after case in a thread with little memory; its number is in `at` before it begins, so that a death has a name. */
import { resourceUsage } from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';
import { StorkError } from '../../../../kube/errors.ts';
import { seededRandom } from '../seeded-random.ts';
import { fuzzSubjects } from './subjects.ts';

export interface FuzzThreadData {
  readonly from: number;
  readonly to: number;
  /** One number: the seed that is tried. */
  readonly at: SharedArrayBuffer;
}

export type FuzzMessage =
  | { readonly is: 'found'; readonly seed: number; readonly problem: string }
  | { readonly is: 'done'; readonly accepted: number };

/** What a parser may say of bytes that it refuses. */
const refusals: ReadonlySet<string> = new Set([
  ...['RepositoryDamaged', 'RepositoryVersion', 'KeySlotUnknown'],
  ...['IdentityInvalid', 'KeyPluginConfigInvalid'],
]);
/** What the process may take at most, ever: the largest document in three forms, and what else a process has. */
const memoryLimitKib = 1024 * 1024;

const { from, to, at } = workerData as FuzzThreadData;
const now = new Float64Array(at);
let accepted = 0;
let wasLarge = false;
for (let seed = from; seed < to; seed++) {
  now[0] = seed;
  const problem = await tryOne(seed);
  if (problem !== undefined) parentPort?.postMessage({ is: 'found', seed, problem } satisfies FuzzMessage);
}
parentPort?.postMessage({ is: 'done', accepted } satisfies FuzzMessage);

async function tryOne(seed: number): Promise<string | undefined> {
  const random = seededRandom(seed);
  const pick = (count: number) => Math.floor(random() * count);
  const subject = fuzzSubjects[pick(fuzzSubjects.length)];
  const parse = subject?.make(pick);
  try {
    await parse?.();
    accepted++;
  } catch (error) {
    if (!(error instanceof StorkError))
      return `${subject?.name}: ${error instanceof Error ? error.stack : String(error)}`;
    if (!refusals.has(error.code)) return `${subject?.name}: refused with ${error.code}`;
  }
  const peak = resourceUsage().maxRSS;
  if (peak <= memoryLimitKib || wasLarge) return undefined;
  wasLarge = true;
  return `${subject?.name}: the process has ${peak} KiB`;
}
