import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LinkState } from '../../../peer/peer.ts';
import { waitingPeer } from '../../../peer/waiting-peer.ts';
import { decidePair } from './volumes.ts';

describe('decidePair', () => {
  const waiting = waitingPeer({ uid: '1', namespace: 'db', name: 'pair', code: 'Away', message: 'it is away' });
  const link = (state: LinkState['state']) => ({ ...waiting, link: { ...waiting.link, state } });
  const outcomeOf = (peer: Parameters<typeof decidePair>[0]) => {
    const pair = decidePair(peer, 'pair');
    if (!('hindrance' in pair)) return 'go on';
    const { hindrance } = pair;
    return 'reason' in hindrance ? `${hindrance.do} ${hindrance.reason}` : hindrance.do;
  };

  for (const [what, peer, outcome] of [
    ['goes on with a pair that is ready', { ...link('Connected'), state: { ready: 'Yes' } as const }, 'go on'],
    ['waits for a link that is down', link('Connecting'), 'wait ClusterPairNotReady'],
    ['fails when the pair was deleted here', undefined, 'fail ClusterPairNotFound'],
    ['fails when the pair was revoked there', link('Revoked'), 'fail ClusterPairRevoked'],
  ] as const)
    it(what, () => assert.equal(outcomeOf(peer), outcome));
});
