/**
 * What stands between two paired clusters, as seen from one of them: the hops in their order, each passed, failed or not
 * reached, and what to do next. Pure.
 */
import { peerAccount } from '../../crds/agent-names.ts';
import type { ClusterPair, Condition } from '../../crds/v1alpha1/index.ts';
import { describeGrant } from './pair-place.ts';

export interface PairFacts {
  readonly pair: ClusterPair;
  /** Whether the agent answered what it was asked just now: only then is its status of now. */
  readonly answered: 'Yes' | 'No';
  readonly grantedAccount: 'Exists' | 'Missing';
}

export interface Finding {
  readonly hop: string;
  readonly result: 'ok' | 'FAIL' | 'note';
  readonly message: string;
  /** What to do next. */
  readonly hint?: string | undefined;
}

export function diagnosePair(facts: PairFacts): readonly Finding[] {
  const { pair } = facts;
  const grant = grantFinding(facts);
  if (facts.answered === 'No') return [unanswered, grant];
  const joined = joinedFinding(pair);
  if (joined.result === 'FAIL') return [joined, ...endpointFindings(pair), grant];
  const confirmed = confirmedFinding(pair);
  if (confirmed.result === 'FAIL') return [joined, confirmed, ...endpointFindings(pair), grant];
  return [joined, confirmed, ...endpointFindings(pair), linkFinding(pair), ...healthFindings(pair), grant];
}

/** The hop to look at first. */
export const blockedAt = (findings: readonly Finding[]): Finding | undefined =>
  findings.find(({ result }) => result === 'FAIL');

const unanswered: Finding = {
  hop: 'answer',
  result: 'FAIL',
  message: 'the agent of this cluster did not look at the pair in time',
  hint: 'Look at it: kubectl stork status, and kubectl -n stork-system logs deployment/stork-agent',
};

function joinedFinding(pair: ClusterPair): Finding {
  const joined = conditionOf(pair, 'Joined');
  if (joined?.status === 'True') return { hop: 'code', result: 'ok', message: joined.message };
  const { reason = 'NotJoined', message = 'The agent has said nothing of it.' } =
    pair.spec.accept !== undefined && conditionOf(pair, 'Invited')?.status === 'False'
      ? (conditionOf(pair, 'Invited') ?? {})
      : (joined ?? {});
  return { hop: 'code', result: 'FAIL', message, hint: joinHints[reason] ?? anewHint(pair) };
}

/** A pair by kubeconfig begins anew by itself; its message says what is in the way. */
const anewHint = ({ metadata: { name }, spec }: ClusterPair) =>
  spec.config === undefined
    ? `Begin anew: kubectl stork pair revoke ${name}, then pair accept there where it was accepted, and pair join.`
    : undefined;

const joinHints: Readonly<Record<string, string>> = {
  WaitingForJoiner: 'On the other cluster: kubectl stork pair join NAME, with the code that pair accept printed here.',
  PeerUnreachable: 'The code names addresses that this cluster can not reach: check them, or accept with --endpoint.',
  CodeSecretMissing: 'Use kubectl stork pair join, which keeps the code where the agent looks for it.',
};

function confirmedFinding(pair: ClusterPair): Finding {
  const here = conditionOf(pair, 'Confirmed');
  const { name, namespace } = pair.metadata;
  if (here !== undefined && here.status !== 'True') {
    const hint = `Compare it with the other cluster's, then: kubectl stork pair confirm ${name} -n ${namespace}`;
    return { hop: 'confirmation', result: 'FAIL', message: here.message, hint };
  }
  const connected = conditionOf(pair, 'Connected');
  if (connected?.reason === 'AwaitingConfirmation') {
    const hint = `On the other cluster: kubectl stork pair confirm NAME; this side is ${pair.status?.ownFingerprint}`;
    return { hop: 'confirmation', result: 'FAIL', message: connected.message, hint };
  }
  return { hop: 'confirmation', result: 'ok', message: here?.message ?? 'Confirmed.' };
}

const hopNames = { Name: 'DNS', Connect: 'TCP', Handshake: 'TLS', Key: 'key' } as const;

/** An address that fails while another works is worth knowing, and stops nothing. */
function endpointFindings(pair: ClusterPair): readonly Finding[] {
  const probed = pair.status?.probe?.endpoints ?? [];
  const connected = conditionOf(pair, 'Connected')?.status === 'True';
  const somePass = probed.some(({ whose, result }) => whose === 'Peer' && result === 'Passed');
  const rows = probed.map(({ endpoint, whose, hop, result, message, hint }): Finding => {
    const where = whose === 'Own' ? `own address ${endpoint}` : endpoint;
    const said = message.startsWith(`${endpoint} `) ? message.slice(endpoint.length + 1) : message;
    if (result === 'Passed') return { hop: hopNames[hop], result: 'ok', message: `${where}: ${said}` };
    const passing = whose === 'Own' || connected || somePass;
    return { hop: hopNames[hop], result: passing ? 'note' : 'FAIL', message: `${where}: ${said}`, hint };
  });
  if (probed.some(({ whose }) => whose === 'Peer')) return rows;
  const message = 'no address of the peer is known here: the peer dials this cluster';
  return [...rows, { hop: 'address', result: 'note', message }];
}

function linkFinding(pair: ClusterPair): Finding {
  const connected = conditionOf(pair, 'Connected');
  if (connected === undefined) return { hop: 'link', result: 'FAIL', message: 'The agent has not begun to connect.' };
  if (connected.status === 'True') {
    const trip = pair.status?.roundTripMs;
    const measured = trip === undefined ? '' : ` Round trip ${trip} ms.`;
    if (!isDoubtful(pair)) return { hop: 'link', result: 'ok', message: `${connected.message}${measured}` };
    const message = `It counts as connected (last seen ${pair.status?.lastSeenTime}), but no address of the peer answers now.`;
    return { hop: 'link', result: 'note', message, hint: doubtfulHint };
  }
  const seen = pair.status?.lastSeenTime;
  const since = seen === undefined ? ' It was never connected.' : ` Last seen ${seen}.`;
  const message = `${connected.message}${since}`;
  return { hop: 'link', result: 'FAIL', message, hint: linkHints[connected.reason] ?? anyLinkHint };
}

/** A wire that was cut a moment ago is noticed only when nothing came for a while; or the peer dials, and none need answer. */
function isDoubtful(pair: ClusterPair): boolean {
  const peers = (pair.status?.probe?.endpoints ?? []).filter(({ whose }) => whose === 'Peer');
  return peers.length > 0 && peers.every(({ result }) => result !== 'Passed');
}

const doubtfulHint = 'Look again in half a minute. If it stays so, the peer dials this cluster, and all is well.';
const anyLinkHint = 'Run kubectl stork pair doctor on the other cluster too: it sees the other half of the way.';
const linkHints: Readonly<Record<string, string>> = {
  Revoked: 'It can not come back: revoke it here too (kubectl stork pair revoke NAME), and pair anew.',
  WaitingForPeer:
    'Run kubectl stork pair doctor on the other cluster: it dials this one, and sees where that is blocked.',
  WrongPin:
    'Somebody else answers at that address, or the peer lost its key. If its Secret stork-identity is gone, pair anew.',
  VersionTooOld: 'Update the older agent: kubectl stork install on that cluster.',
  VersionTooNew: 'Update the older agent: kubectl stork install on that cluster.',
};

function healthFindings(pair: ClusterPair): readonly Finding[] {
  const healthy = conditionOf(pair, 'Healthy');
  if (healthy === undefined) return [];
  const free = pair.status?.peer?.capacity;
  const room = free === undefined || free === '' ? '' : ` Free there: ${free}.`;
  return [{ hop: 'health', result: healthy.status === 'True' ? 'ok' : 'note', message: `${healthy.message}${room}` }];
}

function grantFinding({ pair, grantedAccount }: PairFacts): Finding {
  const { grant } = pair.spec;
  if (grant === undefined) {
    const hint = 'Give it one: kubectl edit clusterpair, spec.grant.namespaces';
    return { hop: 'grant', result: 'FAIL', message: 'the pair has no grant: the peer may do nothing here', hint };
  }
  const { directions = [], serviceAccount = peerAccount } = grant;
  if (grantedAccount === 'Missing' && directions.includes('Receive')) {
    const message = `ServiceAccount ${serviceAccount}, which the grant names, does not exist in stork-system`;
    return {
      hop: 'grant',
      result: 'FAIL',
      message,
      hint: 'Make it and bind its roles, or kubectl stork install again.',
    };
  }
  return { hop: 'grant', result: 'ok', message: describeGrant({ ...grant, directions, serviceAccount }) };
}

const conditionOf = (pair: ClusterPair, type: string): Condition | undefined =>
  pair.status?.conditions?.find((condition) => condition.type === type);
