/** `GET /v1/hello`: who the peer is and what time it has. Both sides ask once connected, and once in a while after. */
import { object, required, string, time } from '../../crds/schema/index.ts';
import type { Clock } from '../../kube/clock.ts';
import type { SelfDescription } from './link/join.ts';
import type { Peer, PeerRoute } from './peer.ts';
import { jsonRoute } from './routes.ts';

export const helloIntervalMs = 60_000;

const path = '/v1/hello';
const label = () => required(string({ maxLength: 253, pattern: '^[ -~]*$' }));
const helloSchema = object({ cluster: label(), version: label(), now: required(time()) });

export function helloRoute(self: SelfDescription, clock: Clock): PeerRoute {
  return jsonRoute({ method: 'GET', path, answer: async () => ({ ...self, now: clock.now().toISOString() }) });
}

/** @returns the skew as the peer's clock minus ours at the middle of the round trip */
export async function greet(
  peer: Pick<Peer, 'request'>,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ readonly peer: SelfDescription; readonly clockSkewMs: number }> {
  const sentMs = clock.now().getTime();
  const { cluster, version, now } = await peer.request({ method: 'GET', path, answer: helloSchema, signal });
  const middleMs = (sentMs + clock.now().getTime()) / 2;
  return { peer: { cluster, version }, clockSkewMs: Math.round(new Date(now).getTime() - middleMs) };
}
