/**
 * The simulation by hand:
 *
 *     node test/sim/main.ts --seed N [--trace]                                     one run of chance
 *     node test/sim/main.ts --seeds FIRST-LAST                                     many
 *     node test/sim/main.ts --scenario NAME [--harm WHAT --at "TIMING SIDE EFFECT"] [--trace]
 *     node test/sim/main.ts --effects                                              what is recorded, by scenario
 *     node test/sim/main.ts --all [--scenario NAME]                                every effect × every victim
 */
import { parseArgs } from 'node:util';
import type { Timing } from './agent.ts';
import { type Harm, interferences, victims } from './harms.ts';
import { describePlan, planRun } from './plan-run.ts';
import { planAll, planSeeds, recordEffects } from './plan-suite.ts';
import { type RunPlan, run } from './run.ts';
import { runPlans } from './run-plans.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    scenario: { type: 'string' },
    harm: { type: 'string' },
    at: { type: 'string' },
    effects: { type: 'boolean' },
    all: { type: 'boolean' },
    trace: { type: 'boolean' },
  },
});

async function main(): Promise<boolean> {
  const only = values.scenario === undefined ? undefined : [values.scenario];
  if (values.effects) return await showEffects(only);
  if (values.all) {
    const recorded = await recordEffects(only);
    return await showMany(recorded.flatMap((of) => planAll(of, victims)));
  }
  if (values.seeds !== undefined) {
    const [first = 1, last = first] = values.seeds.split('-').map(Number);
    return await showMany(planSeeds(first, last - first + 1));
  }
  return await showOne(values.scenario === undefined ? planRun(Number(values.seed ?? 1)) : planOne(values.scenario));
}

function planOne(scenario: string): RunPlan {
  const seed = Number(values.seed ?? 7);
  const what = [...victims, ...interferences].find((one) => one === values.harm);
  const at = /^(Before|During|After) ([ab]) (.+)$/.exec(values.at ?? '');
  if (what === undefined || at === null) return { scenario, seed };
  return { scenario, seed, harms: [plannedHarm(what, at)] };
}

function plannedHarm(what: Harm, [, timing, side, effect = '']: RegExpExecArray) {
  const timings: readonly Timing[] = ['Before', 'During', 'After'];
  const found = timings.find((one) => one === timing) ?? 'Before';
  return { what, at: { timing: found, side: side === 'a' ? 'a' : 'b', effect } } as const;
}

async function showOne(plan: RunPlan): Promise<boolean> {
  console.log(describePlan(plan));
  const trace = values.trace ? (line: string) => console.log(line) : undefined;
  const { violations, status, reason, virtualMs } = await run({ ...plan, trace });
  console.log(`${status} after ${virtualMs / 1000} s of its time${reason === '' ? '' : `: ${reason}`}`);
  for (const violation of violations) console.log(`VIOLATION ${violation}`);
  return violations.length === 0;
}

async function showMany(plans: readonly RunPlan[]): Promise<boolean> {
  const { runs, failures, endings } = await runPlans(plans);
  for (const failure of failures) console.log(failure);
  const ended = Object.entries(endings).map(([status, count]) => `${count} ${status}`);
  console.log(`${runs} runs: ${ended.join(', ')}; ${failures.length} went wrong`);
  return failures.length === 0;
}

async function showEffects(only: readonly string[] | undefined): Promise<boolean> {
  for (const { scenario, effects, moments } of await recordEffects(only === undefined ? undefined : [...only])) {
    console.log(`${scenario}: ${effects.length} effects, ${moments.length} moments × ${victims.length} victims`);
    for (const effect of effects) console.log(`  ${effect}`);
  }
  return true;
}

process.exitCode = (await main()) ? 0 : 1;
