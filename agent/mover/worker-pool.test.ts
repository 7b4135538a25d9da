import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { PutJob } from './job.ts';
import { scratch } from './testing/test-volumes.ts';
import { createWorkerPool } from './worker-pool.ts';

/** Not a job: what it lacks throws where nothing catches. */
const deadly = { do: 'put', root: undefined, parts: [] } as unknown as PutJob;

describe('the worker threads', () => {
  it('answer every job, also after one that a thread died of', { timeout: 120_000 }, async () => {
    using space = scratch();
    mkdirSync(space.path('tree'));
    const measure = { do: 'measure', root: space.path('tree'), kind: 'files' } as const;
    const pool = createWorkerPool(1);
    try {
      const first = pool.run(deadly);
      const behind = pool.run(measure);
      await assert.rejects(first, { code: 'MoverFault', retryable: true });
      assert.deepEqual(await behind, { files: 1, bytes: 0 });
      assert.deepEqual(await pool.run(measure), { files: 1, bytes: 0 });
    } finally {
      await pool.close();
    }
    await assert.rejects(pool.run(measure), { code: 'Stopped' });
  });
});
