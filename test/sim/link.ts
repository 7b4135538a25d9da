/**
 * The pair link: it takes its time, loses requests and answers, delivers some requests twice, breaks and comes back. Requests
 * reach the other agent's routes as over the real link; movers' streams break whenever it does.
 */
import { answerRequest, connectedPeer, testPair } from '../../agent/migration/testing/connected-link.ts';
import { type Peer, type PeerCall, type PeerRoute, peerLimits } from '../../agent/peer/peer.ts';
import { parse } from '../../crds/schema/index.ts';
import type { ManualClock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import type { Chance } from './chance.ts';
import type { Life } from './life.ts';

export type SideName = 'a' | 'b';

/** What of an agent's process the link touches. */
export interface LinkEnd {
  readonly life: Life;
  readonly routes: readonly PeerRoute[];
  /** Called when a request of this process was carried out and its answer is on its way. */
  answered(): void;
}

export interface SimLink {
  /** Cuts the wire for that long; cuts add up to the longest. */
  cut(ms: number): void;
  /** Both ClusterPairs are deleted. */
  revoke(): void;
  readonly isRevoked: boolean;
  /** An agent's process is gone or another one is there: what it had open breaks. */
  reconnect(): void;
  /** Changes whenever streams break; `undefined` while there is no connection. */
  readonly session: number | undefined;
  peer(from: SideName, caller: LinkEnd): Peer;
}

export interface LinkFaults {
  readonly lost: number;
  readonly repeated: number;
}

/** How long a dead wire stays unnoticed. */
const noticeMs = 15_000;

export function createLink(parts: {
  readonly clock: ManualClock;
  readonly chance: Chance;
  readonly faults: LinkFaults;
  readonly endOf: (side: SideName) => LinkEnd | undefined;
}): SimLink {
  const { clock, chance, faults, endOf } = parts;
  let cutUntilMs = 0;
  let connectedAtMs = 0;
  let session = 1;
  let isRevoked = false;
  const breakStreams = () => {
    session += 1;
    connectedAtMs = Math.max(clock.monotonicMs(), cutUntilMs) + chance.between(200, 3000);
  };
  const isUp = () =>
    !isRevoked &&
    clock.monotonicMs() >= connectedAtMs &&
    endOf('a')?.life.isOver === false &&
    endOf('b')?.life.isOver === false;

  /** One leg of a request. @throws StorkError when the link breaks meanwhile */
  const travel = async (life: Life): Promise<void> => {
    const before = session;
    await life.pause(chance.between(1, 40));
    if (session === before && isUp() && !chance.happens(faults.lost)) return;
    await life.pause(chance.between(1, noticeMs));
    throw unreachable('PeerConnectionLost');
  };
  const deliver = async (to: SideName, call: PeerCall<unknown>): Promise<unknown> => {
    const end = endOf(to);
    if (end === undefined) throw unreachable('PeerConnectionLost');
    try {
      return await answerRequest(end.routes, testPair, call);
    } catch (error) {
      if (end.life.isOver) throw unreachable('PeerConnectionLost');
      throw error;
    }
  };
  const request = async <Out>(to: SideName, caller: LinkEnd, call: PeerCall<Out>): Promise<Out> => {
    if (!isUp()) throw unreachable('PeerNotConnected');
    await travel(caller.life);
    if (chance.happens(faults.repeated)) {
      const again = clock.sleep(chance.between(1, 5000)).then(() => deliver(to, call));
      // Nobody waits for the answer of a request that came twice.
      again.catch(() => undefined);
    }
    const answer = await beforeDeadline(
      clock,
      deliver(to, call),
      call.deadlineMs ?? peerLimits.requestDeadlineMs,
      caller.life.signal,
    );
    caller.answered();
    caller.life.mustLast();
    await travel(caller.life);
    return parse(call.answer, JSON.parse(JSON.stringify(answer)));
  };
  return {
    cut(ms) {
      cutUntilMs = Math.max(cutUntilMs, clock.monotonicMs() + ms);
      breakStreams();
    },
    revoke() {
      isRevoked = true;
      breakStreams();
    },
    reconnect: breakStreams,
    get isRevoked() {
      return isRevoked;
    },
    get session() {
      return isUp() ? session : undefined;
    },
    peer(from, caller) {
      const to = from === 'a' ? 'b' : 'a';
      return connectedPeer(to, {
        ready: () => (isUp() ? 'Yes' : 'No'),
        request: (call) => request(to, caller, call),
      });
    },
  };
}

async function beforeDeadline<T>(clock: ManualClock, work: Promise<T>, ms: number, signal: AbortSignal): Promise<T> {
  const late = Promise.withResolvers<never>();
  const end = () => late.reject(signal.reason);
  signal.addEventListener('abort', end, { once: true });
  using _timer = clock.after(ms, () => late.reject(unreachable('PeerTimeout')));
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}

const unreachable = (code: string) =>
  new StorkError({ code, message: 'the peer could not be reached', retryable: true });
