/**
 * Keeps dialling while there is something to dial: rests with backoff and jitter after failures, shortly after refusals
 * that pass by themselves, long after others, and without end while there is nothing to do, until poked.
 */
import type { Clock } from '../../../kube/clock.ts';
import { backoffMs, connectionBackoff } from '../../../kube/runtime/backoff.ts';
import { passingRefusals, type Refusal } from './refusal.ts';

export interface DialLoop {
  /** Something changed: look again now. */
  poke(): void;
  /** The peer is worth an attempt at once: former failures no longer count. */
  encourage(): void;
  /** Resolves when the loop has ended, which the signal asks for. */
  readonly done: Promise<void>;
}

export type DialOutcome =
  | { readonly do: 'connected' }
  | { readonly do: 'retry'; readonly refusal: Refusal | undefined };

export function startDialLoop(options: {
  /** The addresses to try in turn; empty while there is nothing to dial. */
  readonly endpoints: () => readonly string[];
  /** One attempt; it doesn't throw. */
  readonly dial: (endpoint: string) => Promise<DialOutcome>;
  /** How long ago the peer was connected, whoever dialled; `undefined`: never. */
  readonly sinceConnectedMs: () => number | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
}): DialLoop {
  const { endpoints, dial, sinceConnectedMs, clock, random, signal } = options;
  let poked = Promise.withResolvers<void>();
  const poke = () => poked.resolve();
  signal.addEventListener('abort', poke);

  const rest = async (ms: number | undefined) => {
    using _timer = ms === undefined ? undefined : clock.after(ms, poke);
    await poked.promise;
    poked = Promise.withResolvers();
    if (signal.aborted) poke();
  };
  let failures = 0;
  const run = async () => {
    let connectedMs: number | undefined;
    while (!signal.aborted) {
      const addresses = endpoints();
      const endpoint = addresses[failures % addresses.length];
      if (endpoint === undefined) {
        await rest(undefined);
        continue;
      }
      if (connectedMs !== undefined) {
        failures = clock.monotonicMs() - connectedMs < steadyMs ? failures + 1 : 0;
        connectedMs = undefined;
        // A link that keeps breaking right after it stood must not become a busy loop on both sides.
        if (failures > 0) await clock.sleep(backoffMs(connectionBackoff, failures, random), signal).catch(() => {});
        continue;
      }
      const outcome = await dial(endpoint);
      if (outcome.do === 'connected') connectedMs = clock.monotonicMs();
      else failures++;
      if (outcome.do === 'retry' && !signal.aborted) {
        await rest(retryDelayMs({ refusal: outcome.refusal, failures, random, sinceConnectedMs: sinceConnectedMs() }));
      }
    }
  };
  const encourage = () => {
    failures = 0;
    poke();
  };
  return { poke, encourage, done: run() };
}

/** A connection that lived this long was a good one. */
const steadyMs = 10_000;
/** After a refusal that needs somebody to act here or there. */
const refusedRetryMs = 30_000;
/** After one that passes when the other admin confirms. */
const passingRetryMs = 2_000;

/** A peer that was here a moment ago is probably restarting: it is asked often, for a while. */
const recentMs = 120_000;
const recentRetryMs = 1_500;

/** Pure: how long to wait before dialling again. */
export function retryDelayMs(given: {
  readonly refusal: Refusal | undefined;
  readonly failures: number;
  readonly random: () => number;
  readonly sinceConnectedMs?: number | undefined;
}): number {
  if (given.refusal === undefined) {
    const delayMs = backoffMs(connectionBackoff, given.failures, given.random);
    const recent = given.sinceConnectedMs !== undefined && given.sinceConnectedMs < recentMs;
    return recent ? Math.min(delayMs, recentRetryMs) : delayMs;
  }
  return passingRefusals.has(given.refusal.code) ? passingRetryMs : refusedRetryMs;
}
