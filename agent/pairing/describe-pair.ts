/**
 * A ClusterPair's status from what is known: how far pairing has come, what we trust, how the link is. Pure. Values that
 * move all the time (last seen, round trip) are taken over only when something else changed or they moved far, so that an
 * idle pair costs no writes.
 */
import type { ClusterPair, ClusterPairStatus } from '../../crds/v1alpha1/index.ts';
import { type Condition, removeCondition, rfc3339, setCondition } from '../../kube/runtime/conditions.ts';
import { fingerprintOf } from '../peer/invitation.ts';
import type { LinkState } from '../peer/peer.ts';
import { describeCapacity, describeHealth } from './describe-health.ts';
import type { PairProgress } from './pair-progress.ts';
import { describeStorkFields, type StorkNotices, storageStateOf } from './stork-notices.ts';
import type { PairTrust } from './trust.ts';

export interface PairFactsForStatus {
  readonly pair: ClusterPair;
  readonly progress: PairProgress;
  readonly link: LinkState | undefined;
  /** What was found when last asked. */
  readonly probe?: ClusterPairStatus['probe'];
  readonly ownPin: string;
  readonly ownVersion: string;
  readonly now: Date;
}

export function describePair(facts: PairFactsForStatus): ClusterPairStatus {
  const { pair, progress, link } = facts;
  const trust = trustOf(progress);
  const verdicts = verdictsOf(facts, trust);
  const state = stateOf(facts, verdicts.Ready);
  const stamp = { now: facts.now, generation: pair.metadata.generation };
  let conditions: readonly Condition[] = pair.status?.conditions ?? [];
  for (const [type, verdict] of Object.entries(verdicts)) {
    conditions =
      verdict === undefined ? removeCondition(conditions, type) : setCondition(conditions, { type, ...verdict }, stamp);
  }
  const peer = peerOf(pair, trust, link);
  return {
    schedulerStatus: state,
    storageStatus: storageStateOf(pair, state),
    ownFingerprint: fingerprintOf(facts.ownPin),
    ...(trust === undefined ? {} : { pairId: trust.pairId }),
    ...(peer === undefined ? {} : { peer }),
    ...measurementsOf(facts),
    ...(facts.probe === undefined ? {} : { probe: facts.probe }),
    conditions: [...conditions],
    ...(pair.metadata.generation === undefined ? {} : { observedGeneration: pair.metadata.generation }),
  };
}

/** Whether the pair's link may be used, as far as this cluster's admin has a say. */
export function decidePairAdmission(
  trust: PairTrust,
  confirmedFingerprint: string | undefined,
): 'Admitted' | 'AwaitingConfirmation' | 'Revoked' {
  if (trust.revoked !== undefined) return 'Revoked';
  if (trust.side === 'Join') return 'Admitted';
  return keysOf(trust).some((pin) => fingerprintOf(pin) === confirmedFingerprint) ? 'Admitted' : 'AwaitingConfirmation';
}

/** The peer's key, and those that it succeeded by signature. */
const keysOf = ({ peerPin, formerPins = [] }: PairTrust): readonly string[] =>
  peerPin === undefined ? [] : [peerPin, ...formerPins];

export const trustOf = (progress: PairProgress): PairTrust | undefined =>
  progress.at === 'Waiting' ? undefined : progress.held?.trust;

interface Verdict {
  readonly status: Condition['status'];
  readonly reason: string;
  readonly message: string;
}

type Verdicts = Readonly<Record<'Invited' | 'Joined' | 'Confirmed' | 'Connected' | 'Healthy', Verdict | undefined>> &
  StorkNotices & { readonly Ready: Verdict; readonly Reconciled: undefined };

const yes = (reason: string, message: string): Verdict => ({ status: 'True', reason, message });
const no = (reason: string, message: string): Verdict => ({ status: 'False', reason, message });

function verdictsOf(facts: PairFactsForStatus, trust: PairTrust | undefined): Verdicts {
  const { pair, link } = facts;
  const joined = joinedOf(facts.progress, trust);
  const confirmed = trust?.peerPin === undefined ? undefined : confirmedOf(facts, trust);
  const connected = link === undefined ? undefined : connectedOf(link);
  const unmet = [joined, confirmed, connected].find((verdict) => verdict !== undefined && verdict.status !== 'True');
  const ready =
    unmet ??
    (connected === undefined
      ? no('NotConnected', 'The pair is not connected yet.')
      : yes('Ready', 'The pair is connected and confirmed on this side.'));
  return {
    Invited: pair.spec.accept === undefined ? undefined : invitedOf(facts.progress),
    Joined: joined,
    Confirmed: confirmed,
    Connected: connected,
    Healthy: link?.state === 'Connected' ? healthOf(facts, link) : undefined,
    // Whoever comes here has succeeded; tell-failure.ts writes the other case.
    Reconciled: undefined,
    ...describeStorkFields(pair, trust?.peerPin === undefined ? 'No' : 'Yes'),
    Ready: ready.status === 'True' ? ready : { ...ready, status: 'False' },
  };
}

function invitedOf(progress: PairProgress): Verdict {
  switch (progress.at) {
    case 'Invited': {
      const until = progress.expires.toISOString();
      return yes('CodeReady', `The one-time code is in Secret ${progress.secret}, key "code", until ${until}.`);
    }
    case 'Joined':
      return no('CodeUsed', 'The code was used and is gone.');
    case 'Waiting':
    case 'Failed':
      return no(progress.code, progress.message);
    default:
      return progress satisfies never;
  }
}

function joinedOf(progress: PairProgress, trust: PairTrust | undefined): Verdict {
  switch (progress.at) {
    case 'Invited':
      return no('WaitingForJoiner', 'Nobody has used the code yet.');
    case 'Waiting':
      return { status: 'Unknown', reason: progress.code, message: progress.message };
    case 'Failed':
      return no(progress.code, progress.message);
    case 'Joined': {
      const peer = `${trust?.cluster ?? 'The peer'}, ${fingerprintOf(trust?.peerPin ?? '')}`;
      const rival =
        trust?.rivalPin === undefined
          ? ''
          : ` Later another agent, ${fingerprintOf(trust.rivalPin)}, presented the same code and was refused: confirm only the fingerprint that your peer's admin sees as their own.`;
      return yes('Joined', `Paired by code with ${peer}.${rival}`);
    }
    default:
      return progress satisfies never;
  }
}

function confirmedOf({ pair, progress }: PairFactsForStatus, trust: PairTrust): Verdict {
  if (progress.at === 'Joined' && progress.trouble !== undefined)
    return no(progress.trouble.code, progress.trouble.message);
  const fingerprint = fingerprintOf(trust.peerPin ?? '');
  const replaced = (first: string) =>
    yes('KeyReplaced', `${first} was replaced by ${fingerprint}; each key was signed by the one before it.`);
  if (trust.side === 'Join') {
    const [last] = trust.formerPins?.slice(-1) ?? [];
    if (last !== undefined) return replaced(fingerprintOf(last));
    return yes('PinnedByCode', "The peer's key is the one that the code named.");
  }
  const given = pair.spec.confirmedFingerprint;
  if (given === fingerprint) return yes('Confirmed', `An admin confirmed ${fingerprint}.`);
  if (given !== undefined && keysOf(trust).some((pin) => fingerprintOf(pin) === given)) return replaced(given);
  if (given === undefined) {
    return no(
      'AwaitingConfirmation',
      `Compare ${fingerprint} with what the joining admin sees, then confirm it (spec.confirmedFingerprint).`,
    );
  }
  return no('FingerprintMismatch', `spec.confirmedFingerprint is not the joiner's fingerprint, ${fingerprint}.`);
}

function connectedOf(link: LinkState): Verdict {
  if (link.state === 'Connected') return yes('Connected', link.message);
  return no(link.code, link.message);
}

function healthOf(facts: PairFactsForStatus, link: LinkState): Verdict {
  const { clockSkewMs } = measurementsOf(facts);
  return describeHealth({ ownVersion: facts.ownVersion, peerVersion: link.version ?? '', clockSkewMs });
}

function stateOf({ pair, progress, link }: PairFactsForStatus, ready: Verdict): ClusterPairStatus['schedulerStatus'] {
  if (ready.status === 'True') return 'Ready';
  if (progress.at === 'Failed' || (progress.at === 'Joined' && progress.trouble !== undefined)) return 'Error';
  if (link?.state === 'Revoked' || link?.state === 'Refused') return 'Error';
  if (ready.reason === 'FingerprintMismatch') return 'Error';
  // Once connected, a pair without its peer is worth an alert.
  const wasConnected = pair.status?.lastSeenTime !== undefined && link?.state === 'Connecting';
  return wasConnected ? 'Degraded' : 'Pending';
}

function peerOf(
  pair: ClusterPair,
  trust: PairTrust | undefined,
  link: LinkState | undefined,
): ClusterPairStatus['peer'] | undefined {
  if (trust?.peerPin === undefined) return undefined;
  return {
    fingerprint: fingerprintOf(trust.peerPin),
    cluster: link?.cluster ?? trust.cluster ?? '',
    version: link?.version ?? trust.version ?? '',
    ...(trust.endpoints.length === 0 ? {} : { endpoints: [...trust.endpoints] }),
    ...describeCapacity(pair.status?.peer, link?.capacity),
  };
}

/** Milliseconds a round trip or the clocks' difference must have moved to be worth a write. */
const notableMs = { roundTrip: 20, skew: 500 } as const;
const notableLastSeenMs = 600_000;

function measurementsOf({
  pair,
  link,
}: PairFactsForStatus): Pick<ClusterPairStatus, 'roundTripMs' | 'clockSkewMs' | 'lastSeenTime'> {
  const before = pair.status;
  const keep = (old: number | undefined, current: number | undefined, notable: number) =>
    old !== undefined && (current === undefined || Math.abs(current - old) < notable) ? old : current;
  const roundTrip = link?.roundTripMs === undefined ? undefined : Math.round(link.roundTripMs * 10) / 10;
  const roundTripMs = keep(before?.roundTripMs, roundTrip, notableMs.roundTrip);
  const clockSkewMs = keep(before?.clockSkewMs, link?.clockSkewMs, notableMs.skew);
  const lastSeenTime = lastSeenOf(before?.lastSeenTime, link);
  return {
    ...(roundTripMs === undefined ? {} : { roundTripMs }),
    ...(clockSkewMs === undefined ? {} : { clockSkewMs }),
    ...(lastSeenTime === undefined ? {} : { lastSeenTime }),
  };
}

/** Exact once the peer is away; while it is connected the time says little and moves seldom. */
function lastSeenOf(before: string | undefined, link: LinkState | undefined): string | undefined {
  const seen = link?.lastSeen;
  if (seen === undefined || link?.state === 'Waiting') return before;
  if (before === undefined) return rfc3339(seen);
  const olderMs = seen.getTime() - new Date(before).getTime();
  return link?.state === 'Connected' && olderMs < notableLastSeenMs ? before : rfc3339(seen);
}
