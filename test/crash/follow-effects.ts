/**
 * What an agent tells of its effects while it works: the lines `effect begins` and `effect done` of its debug log, followed
 * live. Its log is followed anew whenever a kill has ended it, from the last line that was read, so that none is missed.
 */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cluster, start } from '../demo/commands.ts';
import { agentNamespace } from '../demo/pairing.ts';
import { effectOf } from '../sim/run.ts';

export interface EffectLine {
  /** With its side, hashes left out: `b handOver crash/filler`. */
  readonly effect: string;
  readonly moment: 'Begins' | 'Done';
}

export interface FollowedEffects extends Disposable {
  /** Replaced at will. A line may come twice. `at`: when the agent wrote it. */
  onLine: (line: EffectLine, at: Date) => void;
}

const moments: ReadonlyMap<string, EffectLine['moment']> = new Map([
  ['effect begins', 'Begins'],
  ['effect done', 'Done'],
]);

export function followEffects(side: Cluster): FollowedEffects {
  const stop = new AbortController();
  const followed: FollowedEffects = {
    onLine: () => {},
    [Symbol.dispose]: () => stop.abort(),
  };
  const name = side.context === 'a' ? 'a' : 'b';
  let last = new Date().toISOString();
  void followAgain(side, stop.signal, {
    since: () => last,
    onText: (text) => {
      const line = readLine(text);
      if (line === undefined) return;
      if (line.time > last) last = line.time;
      const moment = moments.get(line.message);
      if (line.effect !== undefined && moment !== undefined)
        followed.onLine({ effect: effectOf({ side: name, effect: line.effect }), moment }, new Date(line.time));
    },
  });
  return followed;
}

async function followAgain(
  side: Cluster,
  signal: AbortSignal,
  reader: { readonly since: () => string; readonly onText: (text: string) => void },
): Promise<void> {
  const selector = ['-l', 'app.kubernetes.io/name=stork-agent'];
  while (!signal.aborted) {
    // Whole seconds: kubectl takes no others.
    const from = ['--tail=-1', `--since-time=${reader.since().slice(0, 19)}Z`];
    const args = ['--context', side.context, '-n', agentNamespace, 'logs', '-f', ...from, ...selector];
    const child: ChildProcess = start('kubectl', args, { env: { KUBECONFIG: side.kubeconfig } });
    const end = () => void child.kill();
    signal.addEventListener('abort', end, { once: true });
    if (child.stdout !== null) for await (const text of createInterface({ input: child.stdout })) reader.onText(text);
    signal.removeEventListener('abort', end);
    await sleep(500, undefined, { signal }).catch(() => undefined);
  }
}

interface LogLine {
  readonly time: string;
  readonly message: string;
  readonly effect?: string;
}

function readLine(text: string): LogLine | undefined {
  try {
    const line: unknown = JSON.parse(text);
    return isLogLine(line) ? line : undefined;
  } catch {
    // Half a line of an agent that was killed.
    return undefined;
  }
}

const isLogLine = (line: unknown): line is LogLine =>
  typeof line === 'object' && line !== null && 'time' in line && typeof line.time === 'string' && 'message' in line;
