import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import { shortRunName } from './run-name.ts';
import { keepRunKey, type RunState, readRunState, writeRunState } from './run-state.ts';
import { scratch } from './testing/test-volumes.ts';

const run = 'run-1';

describe('the key of a run', () => {
  it('is that of the first attempt, and another in another run', () => {
    using space = scratch();
    const at = { staging: space.root, run, before: undefined };
    const key = Buffer.from(keepRunKey(at, randomBytes));
    assert.deepEqual(Buffer.from(keepRunKey(at, randomBytes)), key);
    assert.notDeepEqual(Buffer.from(keepRunKey({ ...at, run: 'run-2' }, randomBytes)), key);
  });

  it('is not made anew beside what was verified with another', () => {
    using space = scratch();
    const attempt = () => keepRunKey({ staging: space.root, run, before: readRunState(space.root, run) }, randomBytes);
    attempt();
    const staged: RunState = { stage: 'Staged', run, volumes: [] };
    writeRunState(space.root, staged);
    attempt();
    rmSync(`${space.path(shortRunName(run))}/key`);
    assert.throws(attempt, { code: 'StagingDamaged' });
    writeRunState(space.root, { stage: 'Done', run, results: [] });
    assert.equal(attempt().length, 16);
  });
});
