/** Every recorded effect × every victim, before, during or after it; what users do after each; some hundred seeds. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { victims } from './harms.ts';
import { planAll, planEach, planInterferences, planSeeds, recordEffects } from './plan-suite.ts';
import type { RunPlan } from './run.ts';
import { runPlans } from './run-plans.ts';
import { scenarios } from './scenarios.ts';

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
      const plans = inFull ? planAll(recorded, victims) : planEach(recorded, victims);
      await check(plans, (line) => t.diagnostic(line));
    });

  for (const scenario of ['fresh', 'update', 'overwrite', 'quiesce'])
    it(`what users do after every effect of ${scenario}`, async (t) => {
      const [recorded] = await recordEffects([scenario]);
      if (recorded !== undefined) await check(planInterferences(recorded), (line) => t.diagnostic(line));
    });

  it('200 seeds', async (t) => {
    await check(planSeeds(1000, 200), (line) => t.diagnostic(line));
  });
});
