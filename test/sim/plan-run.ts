/** What happens in a run of a seed: any scenario, a faulty link, some kills, sometimes a user in between. */
import { chanceOf } from './chance.ts';
import { type Harm, interferences, victims } from './harms.ts';
import type { RunPlan } from './run.ts';
import { scenarios } from './scenarios.ts';

/** Most runs have ended by then when nothing happens to them. */
const busyMs = 30_000;

export function planRun(seed: number): RunPlan {
  const chance = chanceOf(`plan ${seed}`);
  const scenario = chance.oneOf(Object.keys(scenarios));
  const faults = chance.happens(0.7) ? { lost: 0.03, repeated: 0.1 } : { lost: 0, repeated: 0 };
  const at = () => ({ ms: chance.between(0, busyMs) });
  const kills = Array.from({ length: chance.between(0, 4) }, () => ({ what: chance.oneOf<Harm>(victims), at: at() }));
  const users = chance.happens(0.5) ? [{ what: chance.oneOf<Harm>(interferences), at: at() }] : [];
  return { scenario, seed, faults, harms: [...kills, ...users] };
}

export function describePlan({ scenario, seed, harms = [] }: RunPlan): string {
  const parts = harms.map(({ what, at }) =>
    'ms' in at
      ? `${what} after ${(at.ms / 1000).toFixed(1)} s`
      : `${what} ${at.timing.toLowerCase()} "${at.effect}" on ${at.side}`,
  );
  return `${scenario} (seed ${seed}): ${parts.join(', ') || 'nothing happens to it'}`;
}
