/**
 * `npm run e2e [-- FILE…] [--only PATTERN] [--beds N,N]`: the end-to-end tests alone, on the artifacts that are in dist/ now.
 * All of them, or those on several beds, in lanes as in `npm test`; given files one after the other, on the bed of
 * STORK_TESTBED_NUMBER, which stays up.
 */
import { parseArgs } from 'node:util';
import { runEndToEnd } from './test/run-end-to-end.ts';
import { runTests } from './test/run-tests.ts';
import { e2eTests } from './test/suites.ts';

const options = { only: { type: 'string' }, beds: { type: 'string' } } as const;
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const write = (text: string): void => void process.stdout.write(text);
const { only } = values;
const beds = values.beds?.split(',').map(Number);
const files = positionals.length === 0 ? undefined : positionals;
const counts =
  files === undefined || beds !== undefined
    ? await runEndToEnd({ files, write, only, beds })
    : await runTests({ ...e2eTests, files, only, write });
process.exitCode = counts.failed === 0 && counts.cancelled === 0 && counts.passed > 0 ? 0 : 1;
