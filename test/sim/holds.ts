/**
 * What the shell of agent/rule/hold-script.ts does inside pods, as far as a background command goes: start (once), observe,
 * release, clear; and the timer that lets go when nobody does.
 */
import type { ExecRequest, ExecResult } from '../../kube/client/client.ts';
import type { ManualClock } from '../../kube/clock.ts';

export interface SimHolds {
  exec(request: ExecRequest): Promise<ExecResult>;
  /** Whether writers of that pod are blocked now. */
  isHeld(pod: string): boolean;
  /** The pod's container is gone, and with it what ran in it. */
  end(pod: string): void;
  /** All that ever were. */
  readonly history: readonly Hold[];
}

export interface Hold {
  readonly pod: string;
  readonly sinceMs: number;
  readonly deadlineMs: number;
  untilMs: number | undefined;
  how: 'Holding' | 'Released' | 'Expired' | 'Killed';
}

interface Command extends Hold {
  cleared: 'Yes' | 'No';
}

export function createHolds(clock: ManualClock): SimHolds {
  const commands = new Map<string, Command>();
  const history: Hold[] = [];
  const finish = (command: Command, how: Hold['how']) => {
    if (command.untilMs !== undefined) return;
    command.untilMs = clock.monotonicMs();
    command.how = how;
  };
  const start = (pod: string, key: string, wait: string): void => {
    if (commands.has(`${pod} ${key}`)) return;
    const seconds = Number(/e=\$\(\(u \+ (\d+)\)\)/.exec(wait)?.[1]);
    if (!(seconds > 0)) throw new Error('the hold script has no deadline');
    const sinceMs = clock.monotonicMs();
    const deadlineMs = sinceMs + seconds * 1000;
    const command: Command = { pod, sinceMs, deadlineMs, untilMs: undefined, how: 'Holding', cleared: 'No' };
    commands.set(`${pod} ${key}`, command);
    history.push(command);
    clock.after(seconds * 1000, () => finish(command, 'Expired'));
  };
  return {
    history,
    async exec({ namespace, pod, command }) {
      await clock.sleep(20);
      const [, , , , key = '', , pollOrNothing] = command;
      const id = `${namespace}/${pod}`;
      // Told apart by how many arguments each script gets: start 10, release 7, observe 6, clear 5.
      if (command.length === 10) start(id, key, command[8] ?? '');
      const found = commands.get(`${id} ${key}`);
      if (command.length === 7 && pollOrNothing !== undefined && found !== undefined) finish(found, 'Released');
      if (command.length === 5 && found !== undefined) found.cleared = 'Yes';
      return { exitCode: 0, stdout: describe(found), stderr: '' };
    },
    isHeld: (pod) => history.some((hold) => hold.pod === pod && hold.untilMs === undefined),
    end(pod) {
      for (const [name, command] of commands) {
        if (command.pod !== pod) continue;
        finish(command, 'Killed');
        commands.delete(name);
      }
    },
  };
}

/** As readHoldReport expects it. */
function describe(command: Command | undefined): string {
  if (command === undefined || command.cleared === 'Yes') return 'stork place=absent\n';
  const { sinceMs, untilMs, how } = command;
  const holding = ['stork runner=alive', `stork holding=${sinceMs}`, 'stork waiter=alive'];
  if (untilMs === undefined) return [...holding, 'stork output', ''].join('\n');
  const word = how === 'Expired' ? 'expired' : 'released';
  const ended = [`stork holding=${sinceMs}`, `stork ${word}=${untilMs}`, 'stork exit=0', `stork end=${untilMs}`];
  return ['stork runner=dead', ...ended, 'stork output', ''].join('\n');
}
