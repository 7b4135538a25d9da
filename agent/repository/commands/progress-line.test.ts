import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderBytes, renderProgress } from './progress-line.ts';

describe('the progress line', () => {
  const moved = { what: 'saving', files: 12, bytes: 100 * 1024 * 1024, totalBytes: 300 * 1024 * 1024 };

  it('tells bytes, rate and time to go', () => {
    assert.equal(
      renderProgress(moved, 10_000, 200),
      '[00:10] saving: 12 files, 100.0 MiB of 300.0 MiB, 10.0 MiB/s, about 00:20 to go',
    );
  });

  it('promises nothing when the total is unknown, or passed', () => {
    assert.equal(
      renderProgress({ ...moved, totalBytes: 0 }, 10_000, 200),
      '[00:10] saving: 12 files, 100.0 MiB, 10.0 MiB/s',
    );
    assert.doesNotMatch(renderProgress({ ...moved, totalBytes: 1 }, 10_000, 200), /to go/);
  });

  it('never fills the terminal', () => assert.equal(renderProgress(moved, 10_000, 40).length, 39));

  it('has bytes in units', () => {
    assert.deepEqual([0, 1023, 1024, 1536, 2 ** 50].map(renderBytes), [
      '0 B',
      '1023 B',
      '1.00 KiB',
      '1.50 KiB',
      '1024.0 TiB',
    ]);
  });
});
