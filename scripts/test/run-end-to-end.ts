/**
 * tidy: import-arrows because only the test bed knows whether it runs.
 * The end-to-end tests on the test bed. They bring it up by themselves; a bed that did not run before is taken down after
 * them, whatever came out, so that a machine is left as it was found.
 */
import { bringDown, observeState } from '../../test/testbed/bed.ts';
import { findPlaces } from '../../test/testbed/places.ts';
import { runTests, type TestCounts } from './run-tests.ts';
import { e2eTests } from './suites.ts';

export async function runEndToEnd(write: (text: string) => void): Promise<TestCounts> {
  const before = await observeState(findPlaces());
  try {
    return await runTests({ ...e2eTests, write });
  } finally {
    if (before !== 'Up') {
      write('taking the test bed down, as it was found\n');
      await bringDown((line) => write(`${line}\n`));
    }
  }
}
