/** Gauges of the pairs, read when somebody scrapes: what a revoked pair had is gone with the next scrape. */
import { Gauge, type Registry } from 'prom-client';
import type { PairSample } from './metrics.ts';

const pairStates = ['Connected', 'Connecting', 'Waiting', 'Refused', 'Revoked'] as const;

export function registerPairMetrics(registers: Registry[], read: () => readonly PairSample[]): void {
  const gauge = (name: string, help: string, value: (link: PairSample['link']) => number | undefined) =>
    new Gauge({
      name,
      help,
      labelNames: ['pair'],
      registers,
      collect() {
        this.reset();
        for (const { pair, link } of read()) {
          const now = value(link);
          if (now !== undefined) this.set({ pair }, now);
        }
      },
    });
  new Gauge({
    name: 'stork_pair_state',
    help: '1 for the state that the link of a pair is in, 0 for the others.',
    labelNames: ['pair', 'state'],
    registers,
    collect() {
      this.reset();
      for (const { pair, link } of read())
        for (const state of pairStates) this.set({ pair, state }, state === link.state ? 1 : 0);
    },
  });
  gauge('stork_pair_round_trip_seconds', 'Round trip to the peer.', ({ roundTripMs }) => inSeconds(roundTripMs));
  gauge('stork_pair_clock_skew_seconds', "The peer's clock minus ours.", ({ clockSkewMs }) => inSeconds(clockSkewMs));
  gauge('stork_pair_last_seen_timestamp_seconds', 'When the peer was last heard, since 1970.', ({ lastSeen }) =>
    inSeconds(lastSeen?.getTime()),
  );
}

const inSeconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);
