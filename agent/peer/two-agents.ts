/** For tests: agents on loopback without a cluster, their trust in memory, and a pair between two of them. */
import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../../kube/clock.ts';
import { memoryLog } from '../../kube/log.ts';
import { createIdentity } from './identity.ts';
import { type InvitationRecord, mintInvitation, parseCode } from './invitation.ts';
import type { PairConfig } from './pair-link.ts';
import type { Peer, PeerRoute } from './peer.ts';
import { createPeerService, type PairingDesk } from './peer-service.ts';

export type TestAgent = Awaited<ReturnType<typeof startAgent>>;

/** An agent that listens on loopback and keeps invitations as pairing would. */
export async function startAgent(
  cluster: string,
  routes: readonly PeerRoute[] = [],
  clock: Clock = systemClock(),
  identity = createIdentity({ randomBytes, now: clock.now() }),
) {
  const log = memoryLog();
  const invitations = new Map<string, InvitationRecord>();
  const revoked: string[] = [];
  const refusals: string[] = [];
  const successions: string[] = [];
  /** How long it takes to write a succession down. */
  const writing = { done: Promise.resolve() };
  const service = createPeerService({
    identity,
    self: { cluster, version: 'v0' },
    routes,
    agentNamespace: 'stork-system',
    clock,
    random: () => 0.5,
    randomBytes,
    log,
  });
  const desk: PairingDesk = {
    find: async (pairId) => invitations.get(pairId),
    async bind({ pairId, pin }) {
      const record = invitations.get(pairId);
      if (record !== undefined) invitations.set(pairId, { ...record, joinerPin: pin });
    },
    refused: async ({ pin }, { code }) => void refusals.push(`${code} ${pin}`),
    revokedByPeer: async (pair) => void revoked.push(pair.uid),
    async succeeded({ uid }, { from, to }) {
      successions.push(`${uid} ${from} ${to}`);
      await writing.done;
    },
  };
  const { port } = await service.listen({ desk, port: 0, host: '127.0.0.1' });
  const endpoint = `127.0.0.1:${port}`;
  return {
    service,
    identity,
    invitations,
    revoked,
    refusals,
    successions,
    writing,
    log,
    endpoint,
    mint(ttlSeconds = 3600, now = clock.now()) {
      const minted = mintInvitation({ endpoints: [endpoint], pin: identity.pin, now, ttlSeconds, randomBytes });
      invitations.set(minted.record.pairId, minted.record);
      return { ...minted, invitation: parseCode(minted.code) };
    },
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
    },
  };
}

export const grantAll = {
  namespaces: ['*'],
  directions: ['Receive', 'Send'],
  clusterScopedKinds: [],
  serviceAccount: 'stork-peer',
} as const;

/** What two agents declare of a pair between them; `right` dials `left`. */
export function pairConfigs(left: TestAgent, right: TestAgent, pairId = 'b'.repeat(32)) {
  const base = { namespace: 'stork-system', pairId, admission: 'Admitted', grant: grantAll, cluster: '' } as const;
  const onLeft: PairConfig = { ...base, uid: 'uid-left', name: 'to-right', peerPin: right.identity.pin, endpoints: [] };
  const onRight: PairConfig = {
    ...base,
    uid: 'uid-right',
    name: 'to-left',
    peerPin: left.identity.pin,
    endpoints: [left.endpoint],
  };
  return { onLeft, onRight };
}

/** Resolves when the condition holds; tests on real sockets have nothing better to wait for. */
export async function eventually(holds: () => boolean, what: string, withinMs = 60_000): Promise<void> {
  const clock = systemClock();
  const startMs = clock.monotonicMs();
  while (!holds()) {
    if (clock.monotonicMs() - startMs > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await clock.sleep(5);
  }
}

export async function connectAgents(left: TestAgent, right: TestAgent): Promise<{ toRight: Peer; toLeft: Peer }> {
  const { onLeft, onRight } = pairConfigs(left, right);
  const toRight = left.service.declare(onLeft);
  const toLeft = right.service.declare(onRight);
  await eventually(() => toRight.state.ready === 'Yes' && toLeft.state.ready === 'Yes', 'both sides connected');
  return { toRight, toLeft };
}
