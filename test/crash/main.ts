/**
 * `npm run test:crash`: on the real clusters with an application of 5 MB that a rule holds during the cut. At every effect that the
 * agents' logs tell, once, an agent or a mover is killed with SIGKILL (the victim takes turns); then the link is cut for 20 s at ten
 * effects; then one migration loses one packet in a hundred. Each must end Successful, with equal data, with nothing held and nothing
 * left over on either cluster or its disks; a first migration's copy must also start.
 *
 *     npm run test:crash -- --list            the runs, numbered
 *     npm run test:crash -- --from 12         goes on where one stopped
 *     npm run test:crash -- --only handOver   only runs whose line has this text
 */

import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { renderError } from '../../kube/errors.ts';
import { type CrashBed, crashBed, victims } from './crash-bed.ts';
import { type CrashReport, crashRun, cutRun, killRun, lossyRun, moverAt, type Sync } from './crash-run.ts';

const { values } = parseArgs({
  options: { list: { type: 'boolean' }, from: { type: 'string' }, only: { type: 'string' } },
});

interface Run {
  readonly line: string;
  run(): Promise<CrashReport>;
}

const cutPoints = 10;

async function main(): Promise<number> {
  const startedMs = Date.now();
  await using on = await crashBed('crash');
  const runs = [
    ...(await planKills(on)),
    ...(await planCuts(on)),
    { line: 'again: at 1 % packet loss', run: () => lossyRun(on) },
  ];
  const chosen = runs
    .map((one, index) => ({ ...one, number: index + 1 }))
    .filter(({ number, line }) => number >= Number(values.from ?? 1) && line.includes(values.only ?? ''));
  if (values.list) {
    for (const { number, line } of chosen) console.log(`${number}. ${line}`);
    return 0;
  }
  const hits = new Map<string, number>();
  let failed = 0;
  for (const { number, line, run } of chosen) {
    const { problems, done, seconds } = await tryTwice(run);
    if (problems.length > 0) failed += 1;
    if (done !== undefined) hits.set(done, (hits.get(done) ?? 0) + 1);
    const verdict = problems.length === 0 ? 'ok' : `FAILED: ${problems.join('\n    ')}`;
    console.log(`${number}/${runs.length} ${line}: ${done ?? 'its moment never came'}; ${seconds} s, ${verdict}`);
  }
  for (const [done, times] of hits) console.log(`${times} × ${done}`);
  const minutes = ((Date.now() - startedMs) / 60_000).toFixed(1);
  const load = loadavg().map((one) => one.toFixed(1));
  console.log(`${chosen.length} runs, ${failed} failed; ${minutes} minutes; load of the machine now ${load.join(' ')}`);
  return failed === 0 ? 0 : 1;
}

/** Once more when its moment never came (a wait that was short this time): who was not hurt has proven nothing. */
async function tryTwice(run: () => Promise<CrashReport>): Promise<CrashReport> {
  for (let tries = 1; ; tries++) {
    const report = await run().catch(failedBy);
    if (report.done !== undefined || report.problems.length > 0) return report;
    if (tries === 2) return { ...report, problems: ['its moment never came, twice'] };
  }
}

/** The next runs are worth their time all the same. */
const failedBy = (error: unknown): CrashReport => ({
  effects: [],
  done: undefined,
  problems: [`the run broke off: ${renderError(error)}`],
  seconds: 0,
});

const recorded = new Map<Sync, readonly string[]>();

/** What an undisturbed migration tells. */
async function effectsOf(on: CrashBed, sync: Sync): Promise<readonly string[]> {
  const known = recorded.get(sync);
  if (known !== undefined) return known;
  const { effects, problems, seconds } = await crashRun(on, { sync });
  if (problems.length > 0) throw new Error(`${sync}, undisturbed: ${problems.join('; ')}`);
  console.log(`${sync}: ${effects.length} effects; ${seconds} s undisturbed`);
  recorded.set(sync, effects);
  return effects;
}

async function planKills(on: CrashBed): Promise<readonly Run[]> {
  const runs: Run[] = [];
  for (const sync of ['first', 'again'] as const) {
    const effects = await effectsOf(on, sync);
    for (const effect of effects) {
      const victim = victims[runs.length % victims.length] ?? 'source agent';
      const moment = runs.length % 3 === 2 ? 'Done' : 'Begins';
      const run = () => killRun(on, { sync, at: { effect, moment }, victim, mover: moverAt(effects, effect) });
      runs.push({
        line: `${sync}: the ${victim} dies as "${effect}" ${moment === 'Done' ? 'is done' : 'begins'}`,
        run,
      });
    }
  }
  return runs;
}

async function planCuts(on: CrashBed): Promise<readonly Run[]> {
  const effects = await effectsOf(on, 'again');
  return Array.from({ length: cutPoints }, (_, index) => {
    const effect = effects[Math.floor((index * effects.length) / cutPoints)] ?? '';
    const run = () => cutRun(on, { sync: 'again', at: { effect, moment: 'Begins' } });
    return { line: `again: the link is cut as "${effect}" begins`, run };
  });
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
