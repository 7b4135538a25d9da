import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMetrics, type PairSample } from './metrics.ts';

describe('the metrics of pairs', () => {
  it('show state, round trip, skew and last seen, and forget a pair that is gone', async () => {
    const metrics = createMetrics();
    const link = { state: 'Connected', roundTripMs: 12, clockSkewMs: -500, lastSeen: new Date(1000_000) } as const;
    let pairs: readonly PairSample[] = [{ pair: 'stork-system/b', link }];
    metrics.pairs(() => pairs);
    const told = await metrics.render();
    for (const line of [
      'stork_pair_state{pair="stork-system/b",state="Connected"} 1',
      'stork_pair_state{pair="stork-system/b",state="Revoked"} 0',
      'stork_pair_round_trip_seconds{pair="stork-system/b"} 0.012',
      'stork_pair_clock_skew_seconds{pair="stork-system/b"} -0.5',
      'stork_pair_last_seen_timestamp_seconds{pair="stork-system/b"} 1000',
    ])
      assert.ok(told.includes(line), line);
    pairs = [];
    assert.equal((await metrics.render()).includes('stork-system/b'), false);
  });
});
