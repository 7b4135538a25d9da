/**
 * A sample of `npm run test:crash`: three effects drawn by a seed (STORK_CRASH_SEED repeats one), at each of which a victim is
 * killed with SIGKILL; each migration ends Successful, with equal data and nothing left over.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type CrashBed, crashBed, victims } from '../crash/crash-bed.ts';
import { crashRun, killRun } from '../crash/crash-run.ts';
import { chanceOf } from '../sim/chance.ts';

const seed = process.env.STORK_CRASH_SEED ?? String(Math.floor(Date.now() / 1000));
const chance = chanceOf(seed);

describe('a sample of crashes', () => {
  let on: CrashBed;
  before(async () => {
    on = await crashBed('crash-sample');
  });
  after(async () => {
    await on[Symbol.asyncDispose]();
  });

  it(`M17: a migration survives three kills at effects drawn by STORK_CRASH_SEED=${seed}`, async () => {
    const calm = await crashRun(on, { sync: 'first' });
    assert.deepEqual(calm.problems, []);
    const ours = calm.effects.filter((effect) => !effect.includes('finalizer'));
    assert.ok(ours.length > 10, `only ${ours.join(', ')}`);
    for (const sync of ['again', 'first', 'again'] as const) {
      const at = { effect: chance.oneOf(ours), moment: chance.oneOf(['Begins', 'Done'] as const) };
      const victim = chance.oneOf(victims);
      const { problems, done, seconds } = await killRun(on, { sync, at, victim });
      console.log(
        `${sync}: ${victim} at "${at.effect}" (${at.moment}): ${done ?? 'its moment never came'}; ${seconds} s`,
      );
      assert.deepEqual(problems, []);
    }
  });
});
