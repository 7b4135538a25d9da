import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MoverResult } from '../../mover/contract.ts';
import { decideReceive, type ReceiveClaimFacts, type ReceiveFacts, type ReceiveStep } from './decide-receive.ts';

const aClaim = (over: Partial<ReceiveClaimFacts> = {}): ReceiveClaimFacts => ({
  name: 'data',
  incoming: 'Bound',
  target: 'Missing',
  room: 'Enough',
  handedOver: 'No',
  remembered: 'No',
  ...over,
});

const aResult = (over: Partial<MoverResult> = {}): MoverResult => ({
  version: 1,
  run: 'run-1',
  role: 'destination',
  outcome: 'Complete',
  code: 'Complete',
  message: 'all equal',
  retryable: false,
  volumes: [],
  ...over,
});

const facts = (over: Partial<ReceiveFacts> = {}): ReceiveFacts => ({
  mode: 'fresh',
  overwrite: 'Refuse',
  applying: 'No',
  mountingPods: [],
  result: undefined,
  claims: [aClaim({ target: over.mode === 'update' ? 'Bound' : 'Missing' })],
  job: 'Missing',
  jobResult: undefined,
  jobFailure: undefined,
  jobRedoes: 'No',
  scratchBytes: undefined,
  wantedScratchBytes: undefined,
  activePods: [],
  ...over,
});

const done = aResult();
const needsScratch = aResult({
  outcome: 'NeedsScratch',
  code: 'NeedsScratch',
  scratchBytes: 500,
  message: 'too small',
});
const changed = aResult({ outcome: 'DestinationChanged', code: 'DestinationChanged', message: 'was written' });
const failed = aResult({ outcome: 'Failed', code: 'StreamLost', message: 'the stream broke' });

const cases: readonly (readonly [string, Partial<ReceiveFacts>, ReceiveStep])[] = [
  [
    'provisions missing claims first',
    { claims: [aClaim({ incoming: 'Missing' })] },
    { do: 'provision', claims: ['data'] },
  ],
  [
    'starts the mover when claims are there, bound or not',
    { claims: [aClaim({ incoming: 'Pending' })] },
    { do: 'startMover' },
  ],
  [
    'waits while the mover works',
    { job: 'Running' },
    { do: 'wait', reason: 'Receiving', message: 'the destination mover is at work' },
  ],
  ['keeps a good result at once', { job: 'Ended', jobResult: done }, { do: 'keepResult', result: done }],
  ['hands over what was filled, though the job is gone', { result: done }, { do: 'handOver', claims: ['data'] }],
  [
    'waits for the claim to bind',
    { result: done, claims: [aClaim({ handedOver: 'Yes', target: 'Pending' })] },
    { do: 'wait', reason: 'ClaimBinding', message: 'persistentvolumeclaim data is binding' },
  ],
  [
    'remembers the point after the hand-over',
    { result: done, claims: [aClaim({ handedOver: 'Yes', target: 'Bound' })] },
    { do: 'remember', claims: ['data'] },
  ],
  [
    'is complete once remembered',
    { result: done, claims: [aClaim({ handedOver: 'Yes', target: 'Bound', remembered: 'Yes' })] },
    { do: 'complete' },
  ],
  [
    'refuses an update under a running pod',
    { mode: 'update', activePods: ['mysql-0'] },
    { do: 'fail', code: 'DestinationActive', message: 'in use on the destination by pod mysql-0' },
  ],
  [
    'scales pods down before an overwrite',
    { mode: 'update', overwrite: 'Overwrite', activePods: ['mysql-0'] },
    { do: 'scaleDown', pods: ['mysql-0'] },
  ],
  [
    'lets a claim grow before the mover comes',
    {
      mode: 'update',
      claims: [aClaim({ target: 'Bound', room: 'TooSmall' }), aClaim({ target: 'Bound', name: 'logs' })],
    },
    { do: 'grow', claims: ['data'] },
  ],
  [
    'waits for a claim that grows',
    { mode: 'update', claims: [aClaim({ target: 'Bound', room: 'Growing' })] },
    { do: 'wait', reason: 'ClaimGrowing', message: 'persistentvolumeclaim data is growing' },
  ],
  [
    'leaves alone what somebody wrote while an update was interrupted',
    { mode: 'update', applying: 'Yes', job: 'Ended', jobRedoes: 'Yes', jobResult: changed },
    {
      do: 'fail',
      code: 'DestinationActive',
      message: 'was written; an update of it was interrupted, the snapshot taken before it is kept',
    },
  ],
  [
    'lets a mover that knows of the interrupted update look, before anybody else is blamed for what it left',
    { mode: 'update', applying: 'Yes', job: 'Ended', jobRedoes: 'No', jobResult: changed },
    { do: 'restartMover', message: 'was written' },
  ],
  [
    'goes on with an update for which pods wait',
    { mode: 'update', applying: 'Yes', job: 'Running', activePods: ['mysql-0'] },
    {
      do: 'wait',
      reason: 'Receiving',
      message: 'the destination mover is at work; pod mysql-0 starts when it is done',
    },
  ],
  [
    'starts the mover of an update again, for which pods wait',
    { mode: 'update', applying: 'Yes', activePods: ['mysql-0'] },
    { do: 'startMover' },
  ],
  [
    'stops a mover that writes beside a pod',
    { mode: 'update', applying: 'Yes', job: 'Running', activePods: ['mysql-0'], mountingPods: ['mysql-0'] },
    { do: 'restartMover', message: 'in use on the destination by pod mysql-0' },
  ],
  [
    'does not go on with an update beside a pod',
    { mode: 'update', applying: 'Yes', activePods: ['mysql-0'], mountingPods: ['mysql-0'] },
    {
      do: 'fail',
      code: 'DestinationActive',
      message:
        'in use on the destination by pod mysql-0; an update of it was interrupted, the snapshot taken before it is kept',
    },
  ],
  ['stops a mover that needs scratch', { mode: 'update', job: 'Ended', jobResult: needsScratch }, { do: 'stopMover' }],
  [
    'makes the scratch that was asked for',
    { mode: 'update', wantedScratchBytes: 500 },
    { do: 'makeScratch', bytes: 500 },
  ],
  ['starts again with scratch', { mode: 'update', wantedScratchBytes: 500, scratchBytes: 600 }, { do: 'startMover' }],
  [
    'gives up when the scratch made is still too small',
    { mode: 'update', job: 'Ended', jobResult: needsScratch, scratchBytes: 600 },
    { do: 'fail', code: 'ScratchTooSmall', message: 'too small' },
  ],
  [
    'fails on a changed destination',
    { mode: 'update', job: 'Ended', jobResult: changed },
    { do: 'fail', code: 'DestinationChanged', message: 'was written' },
  ],
  [
    'waits for the next attempt after a failed one',
    { job: 'Running', jobResult: failed },
    { do: 'wait', reason: 'MoverRestarting', message: 'the stream broke' },
  ],
  [
    'fails when attempts are used up',
    { job: 'Exhausted', jobResult: failed },
    { do: 'fail', code: 'StreamLost', message: 'the stream broke' },
  ],
  [
    'fails with the cause when no result was left',
    { job: 'Exhausted', jobFailure: 'OOMKilled' },
    { do: 'fail', code: 'MoverFailed', message: 'the destination mover ended without a result: OOMKilled' },
  ],
  [
    'says why the mover does not start',
    { job: 'Running', jobFailure: '0/3 nodes are available' },
    { do: 'wait', reason: 'MoverWaiting', message: 'the destination mover: 0/3 nodes are available' },
  ],
  [
    'replaces scratch that has become too small',
    { mode: 'update', wantedScratchBytes: 900, scratchBytes: 600 },
    { do: 'removeScratch' },
  ],
  [
    'remembers a claim that its users have, before the next is handed over',
    {
      result: done,
      claims: [aClaim({ handedOver: 'Yes', target: 'Bound' }), aClaim({ name: 'logs' })],
    },
    { do: 'remember', claims: ['data'] },
  ],
  [
    'fails when the claim it updates is gone',
    { mode: 'update', job: 'Running', claims: [aClaim({ target: 'Missing' })] },
    {
      do: 'fail',
      code: 'ClaimGone',
      message: 'persistentvolumeclaim data was deleted on the destination while it was updated',
    },
  ],
  ...[
    { job: 'Exhausted', jobResult: failed } as const,
    { job: 'Ended', jobResult: changed, overwrite: 'Overwrite' } as const,
    { job: 'Exhausted' } as const,
  ].map((over): (typeof cases)[number] => [
    `finishes an update that has begun, though the mover gave up (${over.job} ${'jobResult' in over ? over.jobResult.code : ''})`,
    { mode: 'update', applying: 'Yes', ...over },
    {
      do: 'restartMover',
      message: 'jobResult' in over ? over.jobResult.message : 'the destination mover ended without a result',
    },
  ]),
];

describe('decideReceive', () => {
  for (const [name, over, step] of cases) it(name, () => assert.deepEqual(decideReceive(facts(over)), step));
});
