/**
 * What an agent tells of its effects while it works: the lines `effect begins` and `effect done` of its debug log, followed
 * live. Its log is followed anew whenever a kill has ended it.
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
  /** Replaced at will. */
  onLine: (line: EffectLine) => void;
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
  void followAgain(side, stop.signal, (text) => {
    const line = readLine(text);
    const moment = moments.get(line?.message ?? '');
    if (line?.effect !== undefined && moment !== undefined)
      followed.onLine({ effect: effectOf({ side: name, effect: line.effect }), moment });
  });
  return followed;
}

async function followAgain(side: Cluster, signal: AbortSignal, onText: (text: string) => void): Promise<void> {
  const selector = 'app.kubernetes.io/name=stork-agent';
  const args = ['--context', side.context, '-n', agentNamespace, 'logs', '-f', '--tail=0', '-l', selector];
  while (!signal.aborted) {
    const child: ChildProcess = start('kubectl', args, { env: { KUBECONFIG: side.kubeconfig } });
    const end = () => void child.kill();
    signal.addEventListener('abort', end, { once: true });
    if (child.stdout !== null) for await (const text of createInterface({ input: child.stdout })) onText(text);
    signal.removeEventListener('abort', end);
    await sleep(300);
  }
}

function readLine(text: string): { readonly message?: string; readonly effect?: string } | undefined {
  try {
    return JSON.parse(text);
  } catch {
    // Half a line of an agent that was killed.
    return undefined;
  }
}
