/**
 * tidy: import-arrows because only the test bed knows whether it runs.
 * All end-to-end tests, in lanes on test beds. They bring those up by themselves; a bed that did not run before is taken down
 * after them, whatever came out, so that a machine is left as it was found.
 */
import { totalmem } from 'node:os';
import { bringDown, observeState } from '../../test/testbed/bed.ts';
import { findPlaces } from '../../test/testbed/places.ts';
import { endToEndSeconds } from './end-to-end-seconds.ts';
import { decideLanes } from './plan-lanes.ts';
import { runLanes } from './run-lanes.ts';
import { findTestFiles, type TestCounts } from './run-tests.ts';
import { e2eTests } from './suites.ts';

export interface EndToEndRun {
  /** All unless told. */
  readonly files?: readonly string[] | undefined;
  readonly write: (text: string) => void;
  /** The beds to run on; else the one of STORK_TESTBED_NUMBER, else as many as the machine's memory allows. */
  readonly beds?: readonly number[] | undefined;
  readonly only?: string | undefined;
}

export async function runEndToEnd({ files = e2eTests.files, write, beds, only }: EndToEndRun): Promise<TestCounts> {
  const { STORK_TESTBED_NUMBER: number } = process.env;
  const lanes = decideLanes(findTestFiles(files), {
    memoryBytes: totalmem(),
    weights: endToEndSeconds,
    chosen: beds ?? (number === undefined ? undefined : [Number(number)]),
  });
  for (const { bed, files } of lanes) write(`bed ${bed}: ${files.length} files\n`);
  const toTakeDown: number[] = [];
  for (const { bed } of lanes) if ((await onBed(bed, () => observeState(findPlaces()))) !== 'Up') toTakeDown.push(bed);
  try {
    return await runLanes(lanes, { write, only });
  } finally {
    for (const bed of toTakeDown) {
      write(`taking test bed ${bed} down, as it was found\n`);
      await onBed(bed, () => bringDown((line) => write(`${line}\n`)));
    }
  }
}

/** One at a time: the test bed finds its number in the environment. */
async function onBed<T>(bed: number, action: () => Promise<T>): Promise<T> {
  const before = process.env.STORK_TESTBED_NUMBER;
  process.env.STORK_TESTBED_NUMBER = String(bed);
  try {
    return await action();
  } finally {
    if (before === undefined) delete process.env.STORK_TESTBED_NUMBER;
    else process.env.STORK_TESTBED_NUMBER = before;
  }
}
