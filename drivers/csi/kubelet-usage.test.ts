import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manualClock } from '../../kube/clock.ts';
import { ApiError } from '../../kube/errors.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import type { VolumeFacts } from '../driver.ts';
import { addUsedBytes, parseSummary } from './kubelet-usage.ts';

const summary = {
  pods: [
    {
      volume: [
        { pvcRef: { namespace: 'n', name: 'c' }, usedBytes: 12345 },
        { name: 'token', usedBytes: 1 },
      ],
    },
    { podRef: {} },
    {
      volume: [
        { pvcRef: { namespace: 'n' }, usedBytes: 7 },
        { pvcRef: { namespace: 'n', name: 'x' }, usedBytes: -1 },
      ],
    },
  ],
};

const fact: VolumeFacts = {
  ref: { claim: { namespace: 'n', name: 'c', uid: 'u' }, volume: 'p' },
  sizeBytes: 1n,
  usedBytes: undefined,
  mode: 'Filesystem',
  accessModes: [],
  storageClass: undefined,
  reachableFrom: 'All',
  replicas: [],
  attachedTo: ['n1'],
};

describe('used bytes from kubelets', () => {
  it('are read by claim; what has no claim or no sane number is skipped', () => {
    assert.deepEqual([...parseSummary(summary)], [['n/c', 12345n]]);
    for (const odd of [undefined, null, 7, [], { pods: 'x' }, { pods: [null] }])
      assert.equal(parseSummary(odd).size, 0);
  });

  it('are added to attached volumes, and stay unknown when the kubelet may not or does not answer', async () => {
    const clock = manualClock();
    const ask = async (onRequest: (path: string) => unknown) => {
      const client = fakeApiServer({ clock, onRequest: (_method, path) => onRequest(path) }).client();
      const asked = addUsedBytes({ client, clock, facts: new Map([['p', fact]]) });
      await clock.advance(5000);
      return (await asked).get('p')?.usedBytes;
    };
    const path = '/api/v1/nodes/n1/proxy/stats/summary';
    assert.equal(await ask((asked) => (asked === path ? summary : undefined)), 12345n);
    const forbidden = () => {
      throw new ApiError({ code: 403, reason: 'Forbidden', message: 'no' }, 'nodes/proxy');
    };
    assert.equal(await ask(forbidden), undefined);
  });
});
