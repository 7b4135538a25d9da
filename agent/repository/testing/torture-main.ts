/**
 * `npm run test:torture -- --runs N [--seed S]`: torture runs with the seeds S, S+1, …; prints the seed of each that fails and the
 * command that replays it. tidy: ambient-calls because this is a command of the house.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { tortureRun } from './torture-run.ts';

const { values } = parseArgs({ options: { runs: { type: 'string' }, seed: { type: 'string' } } });
const first = Number(values.seed ?? randomInt(2 ** 31));
const runs = Number(values.runs ?? 10);
const sum = { killed: 0, processes: 0, finished: 0, restored: 0 };
let failed = 0;
for (let seed = first; seed < first + runs; seed++) {
  const report = await tortureRun(seed);
  for (const name of ['killed', 'processes', 'finished', 'restored'] as const) sum[name] += report[name];
  console.log(
    `seed ${seed}: ${report.problems.length === 0 ? 'ok' : 'FAILED'}, ${report.killed} of ${report.processes} killed`,
  );
  if (report.problems.length === 0) continue;
  failed++;
  console.log(`seed ${seed} FAILED; again: npm run test:torture -- --runs 1 --seed ${seed}`);
  for (const problem of report.problems) console.log(`    ${problem}`);
}
console.log(
  `${runs} runs from seed ${first}: ${failed} failed; ${sum.killed} of ${sum.processes} processes killed, ` +
    `${sum.finished} backups finished, ${sum.restored} restored equal`,
);
process.exitCode = failed === 0 ? 0 : 1;
