/**
 * A sample of `npm run test:crash`, drawn by a seed that is another each time and part of the test's name (STORK_CRASH_SEED repeats
 * one): two kills with SIGKILL and one cut of the link or loss of packets. Each migration ends Successful, with equal data, nothing
 * held and nothing left over.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type CrashBed, crashBed, victims } from '../crash/crash-bed.ts';
import { type CrashReport, crashRun, cutRun, killRun, lossyRun, moverAt } from '../crash/crash-run.ts';
import { chanceOf } from '../sim/chance.ts';

const seed = process.env.STORK_CRASH_SEED ?? String(Math.floor(Date.now() / 1000));
const chance = chanceOf(seed);
const repeat = `STORK_CRASH_SEED=${seed}`;

describe('a sample of crashes', () => {
  let on: CrashBed;
  before(async () => {
    on = await crashBed('crash-sample');
  });
  after(async () => {
    await on[Symbol.asyncDispose]();
  });

  it(`M17: a migration survives two kills and a bad link, drawn by ${repeat}`, async () => {
    const calm = await crashRun(on, { sync: 'first' });
    assert.deepEqual(calm.problems, []);
    // Those that a first migration and a later one both have.
    const effects = calm.effects.filter((effect) => !/finalizer|provision|handOver|start applications/.test(effect));
    assert.ok(effects.length > 20, `only ${effects.join(', ')}`);
    for (const sync of ['again', 'first'] as const) {
      const effect = chance.oneOf(effects);
      const victim = chance.oneOf(victims);
      const at = { effect, moment: chance.oneOf(['Begins', 'Done'] as const) };
      const report = await killRun(on, { sync, at, victim, mover: moverAt(effects, effect) });
      tell(`${sync}: ${victim} at "${effect}" (${at.moment})`, report);
    }
    const at = { effect: chance.oneOf(effects), moment: 'Begins' } as const;
    if (chance.happens(0.5)) tell(`again: link cut at "${at.effect}"`, await cutRun(on, { sync: 'again', at }));
    else tell('again: packets lost', await lossyRun(on));
  });
});

function tell(what: string, { problems, done, seconds }: CrashReport): void {
  console.log(`${repeat} ${what}: ${done ?? 'its moment never came'}; ${seconds} s`);
  assert.deepEqual(problems, [], `${what} (${repeat})`);
}
