import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MoverResult } from '../../mover/contract.ts';
import { decideGroup, type GroupFacts, type GroupStep } from './decide-group.ts';

const volume = { name: 'data', digest: 'd1', files: 1, bytes: 3, bytesSent: 3 };
const aResult = (over: Partial<MoverResult> = {}): MoverResult => ({
  ...{ version: 1, run: 'r', role: 'source', outcome: 'Complete', code: 'Complete', message: '', retryable: false },
  volumes: [{ ...volume, bytesRead: 3, blocksSent: 1, warnings: {}, degraded: {} }],
  ...over,
});
const failed = aResult({ outcome: 'Failed', code: 'StreamLost', message: 'the stream broke' });
const facts = (over: Partial<GroupFacts> = {}): GroupFacts => ({
  readable: 'Yes',
  claims: ['data'],
  mover: { job: 'Running', result: undefined, failure: undefined },
  destination: { phase: 'Working', reason: 'Receiving', message: 'at work' },
  ...over,
});
const complete = { phase: 'Complete', reason: 'Complete', message: '', point: 2, volumes: [volume] } as const;
const applying = { phase: 'Working', reason: 'Applying', message: 'at work' } as const;
const exhausted = { job: 'Exhausted', result: failed, failure: undefined } as const;
const done = { job: 'Ended', result: aResult(), failure: undefined } as const;

const cases: readonly (readonly [string, Partial<GroupFacts>, GroupStep['do']])[] = [
  [
    'starts the mover once its claims can be read',
    { mover: { ...exhausted, job: 'Missing', result: undefined } },
    'startMover',
  ],
  ['waits for the snapshot', { readable: 'No', mover: { ...exhausted, job: 'Missing', result: undefined } }, 'wait'],
  ['fails with its mover', { mover: exhausted }, 'fail'],
  [
    'waits for a destination that applies, however its mover ended',
    { mover: exhausted, destination: applying },
    'wait',
  ],
  [
    'sends again to a destination that begins again',
    { mover: done, destination: { ...applying, mover: 'Connecting' } },
    'restartMover',
  ],
  [
    'does not send again what is being verified',
    { mover: done, destination: { ...applying, mover: 'Verifying' } },
    'wait',
  ],
  [
    'fails, however ready the destination is to begin again',
    { mover: exhausted, destination: { ...facts().destination, mover: 'Connecting' } },
    'fail',
  ],
  ['is complete when both hold the same', { mover: done, destination: complete }, 'complete'],
  [
    'fails when they differ',
    { mover: done, destination: { ...complete, volumes: [{ ...volume, digest: 'd2' }] } },
    'fail',
  ],
  [
    'is complete when all is the same but what is counted as not set',
    {
      mover: done,
      destination: { ...complete, volumes: [{ ...volume, digest: 'd2', sent: 'd1', degraded: { owner: 1 } }] },
    },
    'complete',
  ],
  [
    'fails when they differ and nothing is counted',
    { mover: done, destination: { ...complete, volumes: [{ ...volume, digest: 'd2', sent: 'd1', degraded: {} }] } },
    'fail',
  ],
  [
    'fails when something is counted, and something else was sent',
    {
      mover: done,
      destination: { ...complete, volumes: [{ ...volume, digest: 'd2', sent: 'd3', degraded: { owner: 1 } }] },
    },
    'fail',
  ],
  [
    'fails when the destination does not speak of a claim',
    { claims: ['data', 'logs'], mover: done, destination: complete },
    'fail',
  ],
];

describe('decideGroup', () => {
  for (const [name, over, step] of cases) it(name, () => assert.equal(decideGroup(facts(over)).do, step));
});
