/** Every recorded effect × every victim, before, during or after it; what users do after each; some hundred seeds. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { victims } from './harms.ts';
import { planAll, planEach, planInterferences, planOwn, planSeeds, recordEffects } from './plan-suite.ts';
import { effectOf, type RunPlan } from './run.ts';
import { runPlans } from './run-plans.ts';
import { scenarios } from './scenarios.ts';

const isQuiescing = (effect: string): boolean => / (stop|resume) /.test(effect);

describe('two clusters in virtual time, in full', () => {
  const check = async (plans: readonly RunPlan[], say: (line: string) => void) => {
    const { failures, runs, endings } = await runPlans(plans);
    say(`${runs} runs, ${JSON.stringify(endings)}`);
    assert.deepEqual(failures, []);
  };

  for (const scenario of Object.keys(scenarios))
    it(`M17: every effect of ${scenario} × every victim`, async (t) => {
      const [recorded] = await recordEffects([scenario]);
      if (recorded === undefined) return;
      // The others share their effects with these; `node test/sim/main.ts --all` gives them every timing too.
      const inFull = scenario === 'fresh' || scenario === 'update';
      const some = scenario === 'quiesce' ? planOwn(recorded, isQuiescing, victims) : planEach(recorded, victims);
      await check(inFull ? planAll(recorded, victims) : some, (line) => t.diagnostic(line));
    });

  for (const scenario of ['fresh', 'update', 'overwrite', 'quiesce'])
    it(`what users do after every effect of ${scenario}`, async (t) => {
      const [recorded] = await recordEffects([scenario]);
      if (recorded === undefined) return;
      const { moments } = recorded;
      const own = scenario === 'quiesce' ? moments.filter((moment) => isQuiescing(effectOf(moment))) : moments;
      await check(planInterferences({ ...recorded, moments: own }), (line) => t.diagnostic(line));
    });

  it('200 seeds', async (t) => {
    await check(planSeeds(1000, 200), (line) => t.diagnostic(line));
  });
});
