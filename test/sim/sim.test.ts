import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { planSeeds, recordEffects, type ScenarioEffects } from './plan-suite.ts';
import { run } from './run.ts';
import { runPlans } from './run-plans.ts';

// sim.conformance.ts gives every effect every victim.
describe('two clusters in virtual time', () => {
  let recorded: readonly ScenarioEffects[] = [];
  before(async () => {
    recorded = await recordEffects();
  });

  it('are undisturbed equal in the end, and tell their effects by name', (t) => {
    for (const { scenario, effects } of recorded) t.diagnostic(`${scenario}: ${effects.length} effects`);
    const all = new Set(recorded.flatMap(({ effects }) => effects));
    for (const effect of [
      'a snapshot db/data',
      'b provision db/data',
      'b handOver db/data',
      'a prove hold',
      'a stop deployment db/app',
    ])
      assert.ok(all.has(effect), `${effect} is not recorded`);
  });

  it('end well, whatever chance does to them', async () => {
    assert.deepEqual((await runPlans(planSeeds(1, 8))).failures, []);
  });

  it('do the same again for the same seed', async () => {
    const lines: string[][] = [[], []];
    for (const trace of lines) {
      const faults = { lost: 0.05, repeated: 0.2 };
      const harms = [{ what: 'destination agent', at: { ms: 9000 } } as const];
      await run({ scenario: 'update', seed: 11, faults, harms, trace: (line) => void trace.push(line) });
    }
    assert.ok((lines[0]?.length ?? 0) > 100);
    assert.deepEqual(lines[0], lines[1]);
  });
});
