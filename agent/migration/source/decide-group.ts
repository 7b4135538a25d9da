/** What a group of volumes needs next on the source, from what both sides say about it. Pure. */
import { shortDigest } from '../../mover/contract.ts';
import { applyingReason, type ReceiveAnswer } from '../messages.ts';
import type { MoverSight } from '../mover-jobs.ts';

export interface GroupFacts {
  /** Whether the claims the mover reads are there; a snapshot may be cut long before it can be read. */
  readonly readable: 'Yes' | 'No' | { readonly failed: string };
  readonly mover: Pick<MoverSight, 'job' | 'result' | 'failure'>;
  /** The group's claims. */
  readonly claims: readonly string[];
  readonly destination: ReceiveAnswer;
}

export type GroupStep =
  | { readonly do: 'startMover' }
  | { readonly do: 'wait'; readonly message: string }
  /** The destination starts over, or must finish what it began: it needs somebody to send again. */
  | { readonly do: 'restartMover' }
  | { readonly do: 'complete'; readonly point: number; readonly volumes: NonNullable<ReceiveAnswer['volumes']> }
  | { readonly do: 'fail'; readonly code: string; readonly message: string };

export function decideGroup(facts: GroupFacts): GroupStep {
  const { destination, mover } = facts;
  if (destination.phase === 'Failed') return { do: 'fail', code: destination.reason, message: withHint(destination) };
  if (destination.phase === 'Complete') return decideComplete(facts);
  if (typeof facts.readable === 'object') return { do: 'fail', code: 'SnapshotFailed', message: facts.readable.failed };
  if (facts.readable === 'No') return { do: 'wait', message: 'the snapshot is not readable yet' };
  if (mover.job === 'Missing') return { do: 'startMover' };
  if (mover.job !== 'Running' && destination.mover === 'Connecting' && mayRestart(facts)) return { do: 'restartMover' };
  // The destination has everything and changes its volumes: how our mover ended does not matter any more.
  if (destination.reason === applyingReason) return { do: 'wait', message: destination.message };
  const failed = mover.result?.outcome === 'Failed' ? mover.result : undefined;
  if (mover.job === 'Exhausted' || (mover.job === 'Ended' && failed !== undefined))
    return {
      do: 'fail',
      code: failed?.code ?? 'MoverFailed',
      message: `The source mover failed: ${failed?.message ?? mover.failure ?? 'no result'}`,
    };
  return { do: 'wait', message: mover.failure ?? destination.message };
}

/** After it sent everything, or when the update can't be given up any more; else its failure is the group's. */
function mayRestart({ mover, destination }: GroupFacts): boolean {
  return destination.reason === applyingReason || (mover.job === 'Ended' && mover.result?.outcome === 'Complete');
}

function decideComplete(facts: GroupFacts): GroupStep {
  const volumes = facts.destination.volumes ?? [];
  const missing = facts.claims.filter((claim) => !volumes.some(({ name }) => name === claim));
  if (missing.length > 0)
    return {
      do: 'fail',
      code: 'ResultIncomplete',
      message: `The destination says it is complete, but not what it read back of ${missing.join(', ')}`,
    };
  const sent = new Map(facts.mover.result?.volumes.map((volume) => [volume.name, volume.digest]));
  const differing = volumes.find((volume) => !hasArrived(volume, sent.get(volume.name)));
  if (differing !== undefined)
    return {
      do: 'fail',
      code: 'DigestMismatch',
      message: `What the destination read back of ${differing.name} is not what was sent (${differing.digest}, ${sent.get(differing.name)})`,
    };
  return { do: 'complete', point: facts.destination.point ?? 1, volumes };
}

/** What the destination proved to have got: all that was sent, or all but what it could not set, which it counts. */
function hasArrived(
  { digest, sent, degraded }: NonNullable<ReceiveAnswer['volumes']>[number],
  source: string | undefined,
): boolean {
  if (source === undefined || source === digest) return true;
  return sent === shortDigest(source) && Object.keys(degraded ?? {}).length > 0;
}

const withHint = (answer: ReceiveAnswer): string => [answer.message, answer.hint].filter(Boolean).join('. ');
