/**
 * How fast the link takes bytes to the destination, for the time of a plan when no earlier migration tells: messages that
 * grow until one takes long enough to say something. Changes nothing there; a few megabytes cross.
 */
import type { Clock } from '../../../../kube/clock.ts';
import { StorkError } from '../../../../kube/errors.ts';
import type { Peer } from '../../../peer/peer.ts';
import { paths } from '../../messages.ts';
import { maxSpeedText, speedAnswerSchema } from '../../plan-messages.ts';

const sizes = [64 * 1024, 256 * 1024, 1024 * 1024, maxSpeedText] as const;
/** A message that took this long is mostly the bytes' way, not the round trip. */
const tellingMs = 500;
/** At 64 KiB in this time a figure would be of no use. */
const deadlineMs = 15_000;

/** Bytes a second; `undefined`: the peer is of a version that doesn't answer, or too slow to wait for. */
export async function measureLink(
  peer: Pick<Peer, 'request'>,
  { clock, operation, signal }: { readonly clock: Clock; readonly operation: string; readonly signal: AbortSignal },
): Promise<number | undefined> {
  let bytesPerSecond: number | undefined;
  for (const bytes of sizes) {
    const startMs = clock.monotonicMs();
    try {
      const body = { filler: 'x'.repeat(bytes) };
      const path = paths.planSpeed(operation);
      await peer.request({ method: 'POST', path, body, answer: speedAnswerSchema, signal, deadlineMs });
    } catch (error) {
      if (error instanceof StorkError && (error.code === 'UnknownRoute' || error.code === 'PeerTimeout'))
        return bytesPerSecond;
      throw error;
    }
    const tookMs = clock.monotonicMs() - startMs;
    if (tookMs > 0) bytesPerSecond = (bytes / tookMs) * 1000;
    if (tookMs >= tellingMs) break;
  }
  return bytesPerSecond;
}
