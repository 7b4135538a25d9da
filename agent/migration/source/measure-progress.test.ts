import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MoverReport } from '../../mover/contract.ts';
import type { ReceiveAnswer } from '../messages.ts';
import { measureProgress, progressOf, underWay } from './measure-progress.ts';

const report: MoverReport = {
  ...{ version: 1, run: 'run-1', role: 'source', phase: 'Verifying', bytesDone: 900, bytesTotal: 900, bytesSent: 30 },
  ...{ filesDone: 9, filesTotal: 9 },
};
const there = { bytesDone: 300, bytesTotal: 900, bytesPerSecond: 100 };
const answer = (over: Partial<ReceiveAnswer>): ReceiveAnswer => ({
  phase: 'Working',
  reason: '',
  message: '',
  ...over,
});

describe('the progress of a group', () => {
  for (const mover of ['Scanning', 'Applying', 'Verifying'])
    it(`is the destination's while it is ${mover}`, () => {
      const seen = progressOf({ report, bytesPerSecond: 5 }, answer({ mover, progress: there }));
      assert.deepEqual(seen, { ...there, bytesSent: 30 });
    });

  it("is the source's while it copies, and with a destination that tells nothing", () => {
    const own = { bytesDone: 900, bytesTotal: 900, bytesSent: 30, bytesPerSecond: 5 };
    const watch = { report, bytesPerSecond: 5 };
    assert.deepEqual(progressOf(watch, answer({ mover: 'Copying', progress: there })), own);
    assert.deepEqual(progressOf(watch, answer({ mover: 'Verifying' })), own);
  });

  it('is unknown before a mover speaks', () => {
    assert.equal(progressOf({ report: undefined, bytesPerSecond: 0 }, answer({})), undefined);
  });
});

describe('the progress of a volume', () => {
  const volume = { persistentVolumeClaim: 'b', bytesRead: 1, bytesSent: 1, status: 'Pending' as const };

  it('is what the mover read and sent of it, also of one among several', () => {
    const volumes = [
      { name: 'a', bytesRead: 500, bytesSent: 50 },
      { name: 'b', bytesRead: 400, bytesSent: 40 },
    ];
    const group = progressOf({ report: { ...report, phase: 'Copying', volumes }, bytesPerSecond: 5 }, answer({}));
    assert.deepEqual(underWay(volume, group), { ...volume, status: 'InProgress', bytesRead: 400, bytesSent: 40 });
  });

  it('stays as it was while nothing is told of it', () => {
    assert.deepEqual(underWay(volume, undefined), { ...volume, status: 'InProgress' });
    const group = progressOf({ report, bytesPerSecond: 5 }, answer({}));
    assert.deepEqual(underWay(volume, group), { ...volume, status: 'InProgress' });
  });
});

describe('the progress of a migration', () => {
  it('adds what has arrived to what is under way, with the time that is left', () => {
    const volumes = [{ persistentVolumeClaim: 'a', digest: 'sha256:1', bytesTotal: 100, bytesSent: 10 }];
    const progress = measureProgress({ volumes, groups: [{ ...there, bytesSent: 30 }], before: undefined });
    const bytes = { bytesDone: 400, bytesTotal: 1000, bytesSent: 40 };
    assert.deepEqual(progress, { ...bytes, bytesPerSecond: 100, etaSeconds: 6 });
  });
});
