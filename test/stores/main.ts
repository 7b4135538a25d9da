/**
 * `npm run test:stores [-- azure | google]`: the suite of stores on servers that `npm test` leaves out, because they are large to install (azurite:
 * 365 MB of packages; fake-gcs-server: a Go build). They are installed into the cache on first use. S3 is part of `npm test`.
 */
import { noTests, renderCounts, runTests } from '../../scripts/test/run-tests.ts';

const [only = ''] = process.argv.slice(2);
const startedMs = performance.now();
const counts = await runTests({
  files: [`test/stores/${only}*.conformance.ts`],
  filesAtOnce: 1,
  limitMs: 30 * 60_000,
  write: (text) => void process.stdout.write(text),
});
process.stdout.write(`${renderCounts(counts, performance.now() - startedMs)}\n`);
process.exitCode = counts === noTests || counts.failed + counts.cancelled > 0 ? 1 : 0;
