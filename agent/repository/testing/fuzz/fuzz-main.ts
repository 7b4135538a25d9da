/**
 * `npm run test:fuzz [-- --runs N] [--seed S]`: tries the seeds S, S+1, …; prints each that is a bug and the command that tries it again.
 * tidy: ambient-calls because this is a command of the house.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { runFuzz } from './run-fuzz.ts';

const { values } = parseArgs({ options: { runs: { type: 'string' }, seed: { type: 'string' } } });
const first = Number(values.seed ?? randomInt(2 ** 31));
const runs = Number(values.runs ?? 100_000);
const { accepted, found } = await runFuzz(first, runs);
for (const { seed, problem } of found)
  console.log(`seed ${seed} FAILED; again: npm run test:fuzz -- --runs 1 --seed ${seed}\n    ${problem}`);
console.log(
  `${runs} documents from seed ${first}: ${accepted} accepted, ${found.length} bugs; ` +
    `at most ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`,
);
process.exitCode = found.length === 0 ? 0 : 1;
