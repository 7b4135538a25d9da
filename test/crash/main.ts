/**
 * `npm run test:crash`: on the real clusters with an application of 5 MB. At every effect that the agents' logs tell, once, an
 * agent or a mover is killed with SIGKILL (the victim takes turns); then the link is cut for 20 s at ten effects; then one migration
 * loses one packet in a hundred. Each must end Successful, with equal data and nothing left over.
 *
 *     npm run test:crash -- --list            the runs, numbered
 *     npm run test:crash -- --from 12         goes on where one stopped
 *     npm run test:crash -- --only handOver   only runs whose line has this text
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { renderError } from '../../kube/errors.ts';
import { cutLink, shapeLink } from '../testbed/link.ts';
import { type CrashBed, crashBed, victims } from './crash-bed.ts';
import { type CrashReport, crashRun, killRun, type Sync } from './crash-run.ts';

const { values } = parseArgs({
  options: { list: { type: 'boolean' }, from: { type: 'string' }, only: { type: 'string' } },
});

interface Run {
  readonly line: string;
  run(): Promise<CrashReport>;
}

const cutSeconds = 20;
const cutPoints = 10;

async function main(): Promise<number> {
  await using on = await crashBed('crash');
  const runs = [...(await planKills(on)), ...(await planCuts(on)), lossyRun(on)];
  const chosen = runs
    .map((one, index) => ({ ...one, number: index + 1 }))
    .filter(({ number, line }) => number >= Number(values.from ?? 1) && line.includes(values.only ?? ''));
  let failed = 0;
  for (const { number, line, run } of chosen) {
    if (values.list) {
      console.log(`${number}. ${line}`);
      continue;
    }
    const { problems, done, seconds } = await run();
    if (problems.length > 0) failed += 1;
    const verdict = problems.length === 0 ? 'ok' : `FAILED: ${problems.join('\n    ')}`;
    console.log(`${number}/${runs.length} ${line}: ${done ?? 'its moment never came'}; ${seconds} s, ${verdict}`);
  }
  if (!values.list) console.log(`${chosen.length} runs, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

const recorded = new Map<Sync, readonly string[]>();

/** What an undisturbed migration tells. */
async function effectsOf(on: CrashBed, sync: Sync): Promise<readonly string[]> {
  const known = recorded.get(sync);
  if (known !== undefined) return known;
  const { effects, problems } = await crashRun(on, { sync });
  if (problems.length > 0) throw new Error(`${sync}, undisturbed: ${problems.join('; ')}`);
  console.log(`${sync}: ${effects.length} effects`);
  recorded.set(sync, effects);
  return effects;
}

async function planKills(on: CrashBed): Promise<readonly Run[]> {
  const runs: Run[] = [];
  for (const sync of ['first', 'again'] as const)
    for (const effect of await effectsOf(on, sync)) {
      const victim = victims[runs.length % victims.length] ?? 'source agent';
      const moment = runs.length % 3 === 2 ? 'Done' : 'Begins';
      const run = () => killRun(on, { sync, at: { effect, moment }, victim });
      runs.push({
        line: `${sync}: the ${victim} dies as "${effect}" ${moment === 'Done' ? 'is done' : 'begins'}`,
        run,
      });
    }
  return runs;
}

async function planCuts(on: CrashBed): Promise<readonly Run[]> {
  const effects = await effectsOf(on, 'again');
  return Array.from({ length: cutPoints }, (_, index) => {
    const effect = effects[Math.floor((index * effects.length) / cutPoints)] ?? '';
    const harm = async () => {
      await using _cut = await cutLink();
      await sleep(cutSeconds * 1000);
      return `the link was cut for ${cutSeconds} s`;
    };
    const run = () => crashRun(on, { sync: 'again', at: { effect, moment: 'Begins' }, harm });
    return { line: `again: the link is cut as "${effect}" begins`, run };
  });
}

function lossyRun(on: CrashBed): Run {
  const run = async () => {
    await using _loss = await shapeLink({ loss: 0.01 });
    return { ...(await crashRun(on, { sync: 'again' })), done: 'one packet in a hundred was lost' };
  };
  return { line: 'again: at 1 % packet loss', run };
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(`test:crash: ${renderError(error)}`);
    process.exitCode = 1;
  },
);
