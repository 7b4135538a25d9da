/**
 * `npm run e2e [-- FILE…] [--only PATTERN] [--beds N,N]`: the end-to-end tests alone, on the artifacts that are in dist/ now.
 * All of them, or those on several beds, in lanes as in `npm test`; given files one after the other, on the bed of
 * STORK_TESTBED_NUMBER, which stays up. A FILE is a path, a pattern or a name (`exec`).
 */
import { parseArgs } from 'node:util';
import { chooseFiles } from './test/choose-files.ts';
import { runEndToEnd } from './test/run-end-to-end.ts';
import { findTestFiles, noTests, runTests } from './test/run-tests.ts';
import { e2eTests } from './test/suites.ts';

const options = { only: { type: 'string' }, beds: { type: 'string' } } as const;
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const write = (text: string): void => void process.stdout.write(text);
const { only } = values;
const beds = values.beds?.split(',').map(Number);
const chosen = positionals.length === 0 ? undefined : chooseFiles(positionals, findTestFiles(e2eTests.files));
const counts = await run();
process.exitCode = counts.failed === 0 && counts.cancelled === 0 && counts.passed > 0 ? 0 : 1;

async function run() {
  if (chosen?.found === 'NotAll') {
    process.stderr.write(`${chosen.message}\n`);
    return noTests;
  }
  if (chosen === undefined || beds !== undefined) return await runEndToEnd({ files: chosen?.files, write, only, beds });
  return await runTests({ ...e2eTests, files: chosen.files, only, write });
}
