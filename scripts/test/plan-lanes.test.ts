import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endToEndSeconds } from './end-to-end-seconds.ts';
import { decideLanes, planLanes } from './plan-lanes.ts';
import { findTestFiles } from './run-tests.ts';
import { e2eTests } from './suites.ts';

describe('lanes of test files', () => {
  it('share the files by weight, the heaviest first', () => {
    const lanes = planLanes(['a', 'b', 'c', 'd'], 2, { a: 10, b: 70, c: 50, d: 40 });
    assert.deepEqual(lanes, [
      ['b', 'a'],
      ['c', 'd'],
    ]);
  });

  it('take a file of unknown weight as an ordinary one', () => {
    assert.deepEqual(planLanes(['known', 'new'], 1, { known: 59 }), [['new', 'known']]);
  });

  it('are the same whatever the order of the files', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    assert.deepEqual(planLanes(names, 2, {}), planLanes(names.toReversed(), 2, {}));
  });

  it('run every end-to-end file once, in lanes of about the same length', () => {
    const files = findTestFiles(e2eTests.files);
    const lanes = planLanes(files, 2, endToEndSeconds);
    assert.deepEqual(lanes.flat().toSorted(), files);
    const seconds = lanes.map((lane) => lane.reduce((sum, file) => sum + (endToEndSeconds[file] ?? 60), 0));
    assert.ok(Math.abs((seconds[0] ?? 0) - (seconds[1] ?? 0)) < 60, seconds.join(' and '));
  });

  it('know no file that is gone', () => {
    const files = findTestFiles(e2eTests.files);
    assert.deepEqual(
      Object.keys(endToEndSeconds).filter((file) => !files.includes(file)),
      [],
    );
  });
});

describe('lanes and beds', () => {
  const files = ['test/e2e/a.test.ts', 'test/e2e/b.test.ts'];
  const [a, b] = files.map((file) => [file]);
  const given = { memoryBytes: 24 * 2 ** 30, weights: {} };

  it('are two', () => {
    assert.deepEqual(decideLanes(files, given), [
      { bed: 1, files: a },
      { bed: 2, files: b },
    ]);
  });

  it('are one where memory is short, or one bed was chosen', () => {
    assert.deepEqual(decideLanes(files, { ...given, memoryBytes: 8 * 2 ** 30 }), [{ bed: 1, files }]);
    assert.deepEqual(decideLanes(files, { ...given, chosen: [3] }), [{ bed: 3, files }]);
  });

  it('are on the beds that were chosen', () => {
    const beds = decideLanes(files, { ...given, chosen: [4, 5] }).map(({ bed }) => bed);
    assert.deepEqual(beds, [4, 5]);
  });
});
