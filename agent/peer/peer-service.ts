/**
 * The pair link of one agent: answers joiners and diallers on one port, keeps one PairLink for each declared pair. It holds
 * no trust of its own: which keys are whose comes from pairing by `declare`, and the desk keeps invitations.
 */
import type { Clock } from '../../kube/clock.ts';
import { renderError, StorkError } from '../../kube/errors.ts';
import type { Log } from '../../kube/log.ts';
import { helloRoute } from './hello.ts';
import { type Identity, liveIdentity } from './identity.ts';
import type { Invitation } from './invitation.ts';
import { type Channel, type ChannelServer, isKnownAs, listenForChannels } from './link/channel.ts';
import { decideVersion, rangeOf } from './link/decide-version.ts';
import { answerDial } from './link/dial.ts';
import { answerJoin, type JoinDesk, type JoinResult, presentCode, type SelfDescription } from './link/join.ts';
import { spoken } from './link/preamble.ts';
import { type EndpointProbe, probeEndpoint } from './link/probe.ts';
import { decideAdmission } from './link/refusal.ts';
import { createRefusalLog } from './link/refusal-log.ts';
import { type PairConfig, PairLink } from './pair-link.ts';
import type { PairFacts, Peer, PeerRoute, Peers } from './peer.ts';
import { revocationRoute, tellRevoked } from './revocation.ts';
import { type WaitingPair, waitingPeer } from './waiting-peer.ts';

export interface PairingDesk extends JoinDesk {
  /** The peer's ClusterPair is gone. Durable when it resolves; may come again. */
  revokedByPeer(pair: PairFacts, signal: AbortSignal): Promise<void>;
  /** The peer has replaced its key by one that the former key signed. Durable when it resolves; may come again. */
  succeeded(pair: PairFacts, pins: { readonly from: string; readonly to: string }, signal: AbortSignal): Promise<void>;
}

export interface PeerService extends AsyncDisposable {
  readonly identity: Identity;
  /** What peers are told of us. */
  readonly self: SelfDescription;
  readonly peers: Peers;
  /** Makes a pair's link, or changes it. Idempotent. */
  declare(config: PairConfig): Peer;
  /** Says of a ClusterPair why it has no peer yet; `declare` and `remove` end that. Idempotent. */
  declareWaiting(waiting: WaitingPair): void;
  /** All pairs with a peer. */
  declared(): readonly Peer[];
  /** How far one gets towards an address, where a key should answer. */
  probe(endpoint: string, peerPin: string, signal: AbortSignal): Promise<EndpointProbe>;
  /** Dials a pair's peer once, now, if it is not connected and we know an address. */
  dialNow(uid: string, signal: AbortSignal): Promise<void>;
  /** Ends a pair's link at once, telling the peer first if it is connected (bounded, best effort). */
  revoke(uid: string): Promise<void>;
  /** Ends a pair's link at once; the peer may come back. */
  remove(uid: string): Promise<void>;
  /** @param endpoints where the other side can dial us, if anywhere */
  join(invitation: Invitation, signal?: AbortSignal, endpoints?: readonly string[]): Promise<JoinResult>;
  /**
   * Starts answering peers, and `peers.find`, which waits for this: declare all known pairs first, else peers are told that
   * they are unknown, and features that pairs don't exist.
   */
  listen(options: {
    readonly desk: PairingDesk;
    readonly port: number;
    readonly host?: string | undefined;
  }): Promise<{ readonly port: number }>;
  /** Shows peers a new key from now on; connections under the old one end and come back. */
  rekey(next: Identity): void;
  /** Hears of each change of a link's state, by the ClusterPair's uid. */
  subscribe(listener: (uid: string) => void): Disposable;
}

export interface PeerServiceOptions {
  readonly identity: Identity;
  /** What peers are told of us: printable ASCII. */
  readonly self: SelfDescription;
  readonly routes: readonly PeerRoute[];
  readonly agentNamespace: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
  readonly log: Log;
}

export function createPeerService(options: PeerServiceOptions): PeerService {
  const { self, clock, log, agentNamespace } = options;
  const identity = liveIdentity(options.identity);
  const links = new Map<string, PairLink>();
  const listeners = new Set<(uid: string) => void>();
  const closing = new AbortController();
  const servers = new AsyncDisposableStack();
  const opened: { desk?: PairingDesk; server?: ChannelServer } = {};

  const waiting = new Map<string, Peer>();
  const { promise: listening, resolve: listens } = Promise.withResolvers<void>();
  const find = (matches: (config: PairConfig) => boolean) => [...links.values()].find((link) => matches(link.config));
  const routes = [
    helloRoute(self, clock),
    revocationRoute(async (pair, signal) => opened.desk?.revokedByPeer(pair, signal)),
    ...options.routes,
  ];
  const onSuccession = async (pair: PairFacts, pins: { readonly from: string; readonly to: string }) =>
    opened.desk?.succeeded(pair, pins, closing.signal);
  const remove = async (uid: string) => {
    const link = links.get(uid);
    links.delete(uid);
    waiting.delete(uid);
    await link?.close();
  };

  const service: PeerService = {
    identity,
    self,
    peers: {
      async find(namespace, name, signal) {
        await untilAborted(listening, signal);
        const all = [...links.values(), ...waiting.values()];
        const named = (where: string) => all.find(({ pair }) => pair === `${where}/${name}`);
        return named(namespace) ?? named(agentNamespace);
      },
      findById: (pairId) => find((config) => config.pairId === pairId),
    },
    declareWaiting: (pair) => void waiting.set(pair.uid, waitingPeer(pair)),
    declare(config) {
      waiting.delete(config.uid);
      const present = links.get(config.uid);
      present?.update(config);
      const onChange = () => {
        for (const listener of listeners) listener(config.uid);
      };
      const link = present ?? new PairLink(config, { ...options, identity, routes, onChange, onSuccession });
      links.set(config.uid, link);
      return link;
    },
    declared: () => [...links.values()],
    probe: (endpoint, peerPin, signal) => probeEndpoint({ endpoint, peerPin, identity, clock, signal }),
    dialNow: async (uid, signal) => links.get(uid)?.dialNow(signal),
    async revoke(uid) {
      const link = links.get(uid);
      if (link === undefined) return remove(uid);
      // From now on the pair is unknown here, whatever the telling does.
      links.delete(uid);
      await tellRevoked(link, log);
      await link.close();
    },
    remove,
    join: (invitation, signal, endpoints) => presentCode({ invitation, endpoints, identity, self, clock, signal }),
    async listen({ desk, port, host }) {
      opened.desk = desk;
      listens();
      const refused = createRefusalLog(log, clock);
      const answering = { ...options, identity, desk, find, refused, signal: closing.signal };
      opened.server = servers.use(
        await listenForChannels({
          identity,
          port,
          host,
          onRefused: (remote, code, message) => refused({ remote, code, reason: message }),
          onChannel(channel, settled) {
            answerChannel(channel, answering)
              .catch((error: unknown) => {
                const code = error instanceof StorkError ? error.code : 'InternalError';
                refused({ remote: channel.remote, code, reason: renderError(error) });
                channel.socket.destroy();
              })
              .finally(settled);
          },
        }),
      );
      return opened.server;
    },
    rekey(next) {
      identity.replace(next);
      opened.server?.renew();
      for (const [uid, link] of links) {
        link.drop('this agent has replaced its key');
        for (const listener of listeners) listener(uid);
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await servers.disposeAsync();
      await Promise.all([...links.keys()].map(remove));
    },
  };
  return service;
}

interface Answering extends PeerServiceOptions {
  readonly desk: PairingDesk;
  readonly signal: AbortSignal;
  readonly refused: ReturnType<typeof createRefusalLog>;
  readonly find: (matches: (config: PairConfig) => boolean) => PairLink | undefined;
}

async function answerChannel(channel: Channel, options: Answering): Promise<void> {
  const log = options.log.with({ remote: channel.remote });
  if (channel.purpose === 'join') {
    const result = await answerJoin(channel, options);
    if ('code' in result) options.refused({ remote: channel.remote, code: result.code, reason: result.message });
    else log.info('joined', { pairId: result.pairId, cluster: result.cluster });
    channel.socket.end();
    return;
  }
  const linkFor = (pairId: string) =>
    options.find((config) => config.pairId === pairId && isKnownAs(channel, config.peerPin));
  const answered = await answerDial(channel, {
    ...options,
    admit(dial, peerPin) {
      const link = linkFor(dial.pairId);
      const verdict = decideAdmission(link?.config, link?.config.peerPin ?? peerPin);
      if (verdict !== 'Admit') return verdict;
      const version = decideVersion(rangeOf(spoken), rangeOf(dial));
      if (version !== 'Speak') link?.turnedAway(version);
      return version === 'Speak' ? (link?.yieldOrRefuse() ?? verdict) : version;
    },
  });
  if ('refusal' in answered) {
    const { code, message } = answered.refusal;
    options.refused({ remote: channel.remote, pairId: answered.pairId, code, reason: message });
    channel.socket.end();
    return;
  }
  const link = linkFor(answered.pairId);
  // Revoked while the answer was under way.
  if (link?.config.admission !== 'Admitted') return void channel.socket.destroy();
  await link.accept(answered.line);
}

/** The promise, unless the caller gives up first. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', onAbort));
}
