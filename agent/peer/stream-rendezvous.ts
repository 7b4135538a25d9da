/**
 * Where a destination's two halves meet: the peer offers a stream for a run, the run's mover takes it, in either order.
 * The newest offer wins (an older one is reset), and an offer nobody takes in time is reset too, so the peer tries again.
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import type { PeerRoute } from './peer.ts';
import { streamRoute } from './routes.ts';

export interface StreamRendezvous {
  /** @param key pair id and run: {@link rendezvousKey} */
  offer(key: string, stream: Duplex): void;
  /** Waits for the next offer. A later call for the same key takes over: the earlier one is rejected. */
  take(key: string, signal: AbortSignal): Promise<Duplex>;
}

/** A stream is matched by pair and run, so that no pair can take or feed another's. */
export const rendezvousKey = (pairId: string, run: string): string => `${pairId}/${run}`;

/** A peer's mover stream, offered to our mover of the run. */
export function runStreamRoute(rendezvous: Pick<StreamRendezvous, 'offer'>): PeerRoute {
  return streamRoute({
    path: '/v1/runs/:run/stream',
    admit:
      async ({ pair, params }) =>
      (stream) =>
        rendezvous.offer(rendezvousKey(pair.id, params.run ?? ''), stream),
  });
}

/** The mover's pod may still be starting; its source tries again after that. */
const offerLifeMs = 60_000;

export function createStreamRendezvous(clock: Clock): StreamRendezvous {
  const offers = new Map<string, { readonly stream: Duplex; readonly timer: Disposable }>();
  const takers = new Map<
    string,
    { readonly resolve: (stream: Duplex) => void; readonly reject: (error: unknown) => void }
  >();

  const withdraw = (key: string, stream: Duplex) => {
    const offer = offers.get(key);
    if (offer?.stream !== stream) return;
    offer.timer[Symbol.dispose]();
    offers.delete(key);
  };
  return {
    offer(key, stream) {
      const former = offers.get(key)?.stream;
      if (former !== undefined) {
        withdraw(key, former);
        former.destroy(superseded());
      }
      if (stream.destroyed) return;
      const taker = takers.get(key);
      takers.delete(key);
      if (taker !== undefined) return taker.resolve(stream);
      offers.set(key, { stream, timer: clock.after(offerLifeMs, () => stream.destroy(notTaken())) });
      stream.once('close', () => withdraw(key, stream));
    },
    take(key, signal) {
      takers.get(key)?.reject(superseded());
      takers.delete(key);
      const offer = offers.get(key);
      if (offer !== undefined) {
        withdraw(key, offer.stream);
        return Promise.resolve(offer.stream);
      }
      const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
      const taker = { resolve, reject };
      takers.set(key, taker);
      const onAbort = () => {
        if (takers.get(key) === taker) takers.delete(key);
        reject(signal.reason);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
      return promise.finally(() => signal.removeEventListener('abort', onAbort));
    },
  };
}

const superseded = () =>
  new StorkError({ code: 'Superseded', message: 'A newer connection of the mover took over', retryable: true });

const notTaken = () =>
  new StorkError({ code: 'MoverNotReady', message: 'No mover took the stream in time', retryable: true });
