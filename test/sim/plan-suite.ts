/**
 * Which runs there are: for each effect that an undisturbed run of a scenario records, each timing and each harm; and seeds,
 * in which chance decides. New effects are met by themselves, because they are recorded anew each time.
 */
import { type Harm, interferences } from './harms.ts';
import { planRun } from './plan-run.ts';
import { effectOf, type RunPlan, run } from './run.ts';
import { scenarios } from './scenarios.ts';

export interface ScenarioEffects {
  readonly scenario: string;
  readonly moments: Awaited<ReturnType<typeof run>>['moments'];
  /** Names with their side, each once. */
  readonly effects: readonly string[];
}

const calmSeed = 7;

/** @throws Error when a run without any harm is not as it must be */
export async function recordEffects(names = Object.keys(scenarios)): Promise<readonly ScenarioEffects[]> {
  const recorded: ScenarioEffects[] = [];
  for (const scenario of names) {
    const { moments, violations } = await run({ scenario, seed: calmSeed });
    if (violations.length > 0) throw new Error(`${scenario}, undisturbed: ${violations.join('; ')}`);
    recorded.push({ scenario, moments, effects: [...new Set(moments.map(effectOf))] });
  }
  return recorded;
}

/** Every moment of every effect with every harm. */
export function planAll({ scenario, moments }: ScenarioEffects, harms: readonly Harm[]): readonly RunPlan[] {
  return moments.flatMap((at) => harms.map((what) => ({ scenario, seed: calmSeed, harms: [{ what, at }] })));
}

/** Every effect with every harm, with timings taking turns. */
export function planEach(of: ScenarioEffects, harms: readonly Harm[]): readonly RunPlan[] {
  return of.effects.flatMap((effect, index) => {
    const timings = of.moments.filter((moment) => effectOf(moment) === effect);
    return harms.flatMap((what, turn) => {
      const at = timings[(index + turn) % timings.length];
      return at === undefined ? [] : [{ scenario: of.scenario, seed: calmSeed, harms: [{ what, at }] }];
    });
  });
}

/** Effects that only this scenario has with every harm; those it shares with others with one harm each, in turns. */
export function planOwn(of: ScenarioEffects, isOwn: (effect: string) => boolean, harms: readonly Harm[]) {
  return of.effects.flatMap((effect, index) => {
    const inTurn = harms.slice(index % harms.length, (index % harms.length) + 1);
    return planEach({ ...of, effects: [effect] }, isOwn(effect) ? harms : inTurn);
  });
}

/** What users do, right after each effect. */
export function planInterferences(of: ScenarioEffects): readonly RunPlan[] {
  return planAll({ ...of, moments: of.moments.filter(({ timing }) => timing === 'After') }, interferences);
}

export const planSeeds = (first: number, count: number): readonly RunPlan[] =>
  Array.from({ length: count }, (_, index) => planRun(first + index));
