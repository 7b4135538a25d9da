/**
 * Proves that a process may die anywhere: runs a scenario once to learn its effects, then once more for each effect with a
 * crash before it and once with a crash after it, each time in a fresh world, restarted over what the crash left.
 */
import type { EffectRecorder } from './effects.ts';

/** What a killed process is to the test: thrown out of the runner, never seen by the world. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash';
}

export interface CrashWorld {
  /** Starts the agent over the world as it is and drives it until the operation ends. */
  run(effects: EffectRecorder): Promise<void>;
  /** Throws unless the world is as it should be after the end. `where` names the crash. */
  check(where: string): Promise<void>;
}

/** The effects of the run without a crash, in order. @throws what `check` throws, or when a crash could not be placed */
export async function crashEverywhere(makeWorld: () => Promise<CrashWorld>): Promise<readonly string[]> {
  const effects: string[] = [];
  const calm = await makeWorld();
  await calm.run({ before: (effect) => void effects.push(effect), after: () => {} });
  await calm.check('no crash');
  for (const at of effects.keys()) {
    await crashOnce(await makeWorld(), effects, at, 'before');
    await crashOnce(await makeWorld(), effects, at, 'after');
  }
  return effects;
}

async function crashOnce(
  world: CrashWorld,
  effects: readonly string[],
  at: number,
  when: 'before' | 'after',
): Promise<void> {
  const where = `crash ${when} effect ${at + 1} (${effects[at]})`;
  let seen = -1;
  const crashing = (point: 'before' | 'after') => () => {
    if (point === 'before') seen += 1;
    if (seen === at && point === when) throw new SimulatedCrash(where);
  };
  const ending = await world.run({ before: crashing('before'), after: crashing('after') }).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(ending instanceof SimulatedCrash)) throw new Error(`${where}: the run did not crash there`, { cause: ending });
  await world.run({ before: () => {}, after: () => {} });
  await world.check(where);
}
