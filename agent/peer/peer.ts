/**
 * The pair link as the rest of the agent sees it: peers one can send requests to, routes that answer a peer's requests,
 * and the runs whose movers may use the link. `createPeerService` (peer-service.ts) makes all of it real.
 * What arrives has passed a schema and a size cap; what fails arrives as a StorkError on the other side.
 */
import type { Duplex } from 'node:stream';
import type { Schema } from '../../crds/schema/index.ts';
import type { GateAnswer, MoverReport, MoverRole } from '../mover/contract.ts';
import type { ClassCapacity } from './capacity.ts';

export const peerLimits = {
  /** One JSON message, either way. */
  messageBytes: 4 * 1024 * 1024,
  /** A request's answer is awaited this long unless told. */
  requestDeadlineMs: 30_000,
  /** Un-read bytes of one stream that may be in our memory: the HTTP/2 window towards the peer … */
  peerWindowBytes: 3 * 1024 * 1024,
  /** … and towards a mover; together they stay below the 4 MiB a stream that DESIGN part 9 allows. */
  moverWindowBytes: 512 * 1024,
  /** Un-read bytes of all streams of one connection. */
  connectionWindowBytes: 64 * 1024 * 1024,
  /** Requests or streams one side may have open on one connection. */
  concurrentStreams: 256,
} as const;

/** How a pair's link is. `message` is one sentence; `code` is a condition reason. */
export interface LinkState {
  readonly state: 'Connected' | 'Connecting' | 'Waiting' | 'Refused' | 'Revoked';
  readonly code: string;
  readonly message: string;
  readonly roundTripMs: number | undefined;
  /** The peer's clock minus ours. */
  readonly clockSkewMs: number | undefined;
  readonly lastSeen: Date | undefined;
  /** What the peer said of itself; cleaned and capped, still only a claim. */
  readonly cluster: string | undefined;
  readonly version: string | undefined;
  /** Its storage classes and what is free there; unknown of an older peer. */
  readonly capacity?: readonly ClassCapacity[] | undefined;
}

/** What a peer may do here: the ClusterPair's spec.grant with its defaults. Without a grant nothing is allowed. */
export interface PeerGrant {
  /** `*` is all of them but the system's (grant-covers.ts). */
  readonly namespaces: readonly string[];
  /** Seen from this cluster. */
  readonly directions: readonly ('Receive' | 'Send')[];
  readonly clusterScopedKinds: readonly string[];
  /** In the agent's namespace; the identity the peer's objects are written as. */
  readonly serviceAccount: string;
}

/** The pair a request came over, or goes over. */
export interface PairFacts {
  /** The same on both clusters. */
  readonly id: string;
  /** uid, namespace and name of this cluster's ClusterPair. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** The peer's name for its cluster. */
  readonly cluster: string;
  readonly grant: PeerGrant;
}

export interface PeerCall<Out> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With the query, e.g. `/v1/operations/UID/plan`. */
  readonly path: string;
  readonly body?: unknown;
  readonly answer: Schema<Out, unknown>;
  readonly signal?: AbortSignal | undefined;
  readonly deadlineMs?: number | undefined;
  /** Joins the two agents' logs. */
  readonly operation?: string | undefined;
}

/** A paired cluster. Values stay valid while the ClusterPair lives; `state` is read anew each time. */
export interface Peer {
  readonly pairId: string;
  /** The ClusterPair, `namespace/name`. */
  readonly pair: string;
  readonly cluster: string;
  readonly grant: PeerGrant;
  /** `Ready`, or why not, as one sentence. */
  readonly state: { readonly ready: 'Yes' } | { readonly ready: 'No'; readonly code: string; readonly message: string };
  readonly link: LinkState;
  /**
   * One JSON request. @throws StorkError what the peer answered, or `PeerNotConnected`, `PeerTimeout`, `PeerConnectionLost`
   * (retryable), `InvalidPeerMessage`, `MessageTooLarge`. A lost answer doesn't say whether the peer acted: repeat.
   */
  request<Out>(call: PeerCall<Out>): Promise<Out>;
  /** A stream of bytes, both ways, once the peer admitted it; the signal ends it too. Errors as `request`. */
  openStream(path: string, signal?: AbortSignal): Promise<Duplex>;
}

export interface Peers {
  /** The pair a user names: in that namespace, else in the agent's. */
  find(namespace: string, name: string, signal?: AbortSignal): Promise<Peer | undefined>;
  /** By the id both clusters know, e.g. to answer the peer of a record. */
  findById(pairId: string): Peer | undefined;
}

/** A request as a route sees it. */
export interface PeerRequest<In> {
  readonly pair: PairFacts;
  /** From `:name` segments of the route's path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: In;
  readonly operation: string | undefined;
  /** Aborted when the peer gave up, the link broke or the pair was revoked. */
  readonly signal: AbortSignal;
}

/** Made with `jsonRoute` or `streamRoute` (routes.ts). */
export type PeerRoute =
  | {
      readonly kind: 'json';
      readonly method: PeerCall<unknown>['method'];
      readonly path: string;
      /** `undefined`: the request has no body. */
      readonly body: Schema<unknown, unknown> | undefined;
      answer(request: PeerRequest<unknown>): Promise<unknown>;
    }
  | {
      readonly kind: 'stream';
      readonly path: string;
      /** Throws to refuse; the function it resolves to receives the stream after the peer was told 200. */
      admit(request: PeerRequest<undefined>): Promise<(stream: Duplex) => void>;
    };

export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** What the mover endpoint needs to know of a run. */
export interface RunEntry {
  readonly role: MoverRole;
  /** Whether this pod (proven by its token) is that run's mover. */
  mayAct(pod: PodIdentity, signal: AbortSignal): boolean | Promise<boolean>;
  /** The stream to the other mover: a source opens one at the peer, a destination awaits the peer's. */
  connect(signal: AbortSignal): Promise<Duplex>;
  onReport(report: MoverReport): void;
  gate(name: string, signal: AbortSignal): Promise<GateAnswer>;
  /** Under what its mover's knowledge of a volume is kept for the next run of the same volume; undefined: none is. */
  treeKey?(volume: string): string | undefined;
}

export interface OpenRun extends Disposable {
  /** Bytes that crossed this agent for the run, all its streams together. */
  readonly bytes: { readonly toPeer: number; readonly fromPeer: number };
}

/** One per agent. Registering a run again replaces the entry and ends the old one's streams. */
export interface Runs {
  register(run: string, entry: RunEntry): OpenRun;
}
