/** `npm run e2e [-- FILE…] [--only PATTERN]`: the end-to-end tests alone, on the artifacts that are in dist/ now. */
import { parseArgs } from 'node:util';
import { runTests } from './test/run-tests.ts';
import { e2eTests } from './test/suites.ts';

const { values, positionals } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true });
const files = positionals.length === 0 ? e2eTests.files : positionals;
const counts = await runTests({
  ...e2eTests,
  files,
  only: values.only,
  write: (text) => void process.stdout.write(text),
});
process.exitCode = counts.failed === 0 && counts.cancelled === 0 && counts.passed > 0 ? 0 : 1;
