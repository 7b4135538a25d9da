import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyDefaults } from '../../crds/schema/index.ts';
import {
  type ClusterPair,
  type ClusterPairSpecInput,
  type ClusterPairStatus,
  clusterPairs,
} from '../../crds/v1alpha1/index.ts';
import { fingerprintOf } from '../peer/invitation.ts';
import type { LinkState } from '../peer/peer.ts';
import { decidePairAdmission, describePair } from './describe-pair.ts';
import type { PairProgress } from './pair-progress.ts';
import type { HeldTrust, PairTrust } from './trust.ts';

const now = new Date('2026-11-21T12:00:00Z');
const ownVersion = 'v1';
const ownPin = 'o'.repeat(43);
const peerPin = 'p'.repeat(43);

const aTrust = (over: Partial<PairTrust> = {}): PairTrust => ({
  side: 'Accept',
  pairId: 'a'.repeat(32),
  peerPin,
  cluster: 'b',
  version: 'v1',
  endpoints: [],
  ...over,
});

const held = (trust: PairTrust): HeldTrust => ({ trust, stored: { fields: {}, labels: {}, resourceVersion: '1' } });

const aLink = (over: Partial<LinkState> = {}): LinkState => ({
  state: 'Connected',
  code: 'Connected',
  message: 'The peer is connected.',
  roundTripMs: 12.34,
  clockSkewMs: 5,
  lastSeen: now,
  cluster: 'b',
  version: 'v1',
  ...over,
});

function aPair(spec: ClusterPairSpecInput, status?: ClusterPairStatus): ClusterPair {
  const metadata = { name: 'p', namespace: 'stork-system', uid: 'u', generation: 3 };
  const { apiVersion, kind } = clusterPairs;
  const pair = applyDefaults(clusterPairs.schema, { apiVersion, kind, metadata, spec });
  return { ...pair, ...(status === undefined ? {} : { status }) };
}

const accepting: ClusterPairSpecInput = { accept: { endpoints: ['a:1'] } };
const confirmed: ClusterPairSpecInput = { ...accepting, confirmedFingerprint: fingerprintOf(peerPin) };
const joined: PairProgress = { at: 'Joined', held: held(aTrust()) };

const away = aLink({ state: 'Connecting', code: 'WaitingForPeer', message: 'The peer has not connected yet.' });
const wasSeen: ClusterPairStatus = { lastSeenTime: '2026-11-21T11:00:00Z' };

describe('the status of a pair', () => {
  const cases: readonly (readonly [
    string,
    { readonly pair: ClusterPair; readonly progress: PairProgress; readonly link?: LinkState },
    readonly [state: string, ready: string],
  ])[] = [
    [
      'is Ready when joined, confirmed and connected',
      { pair: aPair(confirmed), progress: joined, link: aLink() },
      ['Ready', 'Ready'],
    ],
    [
      'waits for a confirmation',
      { pair: aPair(accepting), progress: joined, link: aLink({ state: 'Waiting', code: 'AwaitingConfirmation' }) },
      ['Pending', 'AwaitingConfirmation'],
    ],
    [
      'is an Error when another fingerprint was confirmed',
      {
        pair: aPair({ ...accepting, confirmedFingerprint: fingerprintOf(ownPin) }),
        progress: joined,
        link: aLink({ state: 'Waiting' }),
      },
      ['Error', 'FingerprintMismatch'],
    ],
    [
      'is Pending before the first connection',
      { pair: aPair(confirmed), progress: joined, link: { ...away, lastSeen: undefined } },
      ['Pending', 'WaitingForPeer'],
    ],
    [
      'is Degraded when the peer went away',
      { pair: aPair(confirmed, wasSeen), progress: joined, link: away },
      ['Degraded', 'WaitingForPeer'],
    ],
    [
      'is an Error when revoked',
      { pair: aPair(confirmed, wasSeen), progress: joined, link: aLink({ state: 'Revoked', code: 'Revoked' }) },
      ['Error', 'Revoked'],
    ],
    [
      'is an Error when the code expired',
      { pair: aPair(accepting), progress: { at: 'Failed', code: 'CodeExpired', message: 'x' } },
      ['Error', 'CodeExpired'],
    ],
    [
      'is Pending while the peer is unreachable',
      {
        pair: aPair({ join: { codeSecret: 's' } }),
        progress: { at: 'Waiting', code: 'PeerUnreachable', message: 'x', retrySeconds: 5 },
      },
      ['Pending', 'PeerUnreachable'],
    ],
  ];
  for (const [what, facts, [state, reason]] of cases) {
    it(what, () => {
      const status = describePair({ link: undefined, ...facts, ownPin, ownVersion, now });
      assert.equal(status.schedulerStatus, state);
      assert.equal(status.storageStatus, state);
      assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.reason, reason);
      assert.equal(status.observedGeneration, 3);
    });
  }

  it('does not move while an idle pair stays as it is', () => {
    const facts = { pair: aPair(confirmed), progress: joined, link: aLink(), ownPin, ownVersion, now };
    const first = describePair(facts);
    const later = new Date(now.getTime() + 300_000);
    const link = aLink({ roundTripMs: 20, clockSkewMs: 100, lastSeen: later });
    assert.deepEqual(describePair({ ...facts, pair: aPair(confirmed, first), link, now: later }), first);
  });

  it('says exactly when a peer was last seen once it is away', () => {
    const lastSeen = new Date('2026-11-21T11:59:30Z');
    const status = describePair({
      pair: aPair(confirmed, wasSeen),
      progress: joined,
      link: { ...away, lastSeen },
      ownPin,
      ownVersion,
      now,
    });
    assert.equal(status.lastSeenTime, '2026-11-21T11:59:30Z');
  });
});

describe('admission', () => {
  it('needs the exact fingerprint on the accepting side, nothing more on the joining side, and never a revoked pair', () => {
    assert.equal(decidePairAdmission(aTrust(), undefined), 'AwaitingConfirmation');
    assert.equal(decidePairAdmission(aTrust(), fingerprintOf(ownPin)), 'AwaitingConfirmation');
    assert.equal(decidePairAdmission(aTrust(), fingerprintOf(peerPin)), 'Admitted');
    assert.equal(decidePairAdmission(aTrust({ side: 'Join' }), undefined), 'Admitted');
    assert.equal(decidePairAdmission(aTrust({ side: 'Join', revoked: 'x' }), undefined), 'Revoked');
  });
});
