/**
 * The next step of an incoming group of claims, from facts alone. The destination's controller observes, asks this, does
 * what it says, and observes again; so a restart at any point goes on, with or without the peer.
 */
import type { MoverMode, MoverResult } from '../../mover/contract.ts';
import type { ClaimRoom } from './grow-claims.ts';

export interface ReceiveFacts {
  readonly mode: MoverMode;
  readonly overwrite: 'Refuse' | 'Overwrite';
  /** Whether the mover was allowed to change the volumes: then they may be half changed, and only finishing helps. */
  readonly applying: 'Yes' | 'No';
  /** Kept in the record: once a mover has ended well, its job may vanish. */
  readonly result: MoverResult | undefined;
  readonly claims: readonly ReceiveClaimFacts[];
  readonly job: 'Missing' | 'Running' | 'Exhausted' | 'Ended';
  /** The termination message of the newest ended mover container, if it left one. */
  readonly jobResult: MoverResult | undefined;
  /** Why the last attempt died without a message, e.g. `OOMKilled`. */
  readonly jobFailure: string | undefined;
  /** Whether the mover was started knowing that an update had begun. */
  readonly jobRedoes: 'Yes' | 'No';
  /** Bytes of the scratch claim, when there is one. */
  readonly scratchBytes: number | undefined;
  /** Scratch that an earlier attempt asked for. */
  readonly wantedScratchBytes: number | undefined;
  /** Pods on the destination that mount a claim of the group, movers aside. */
  readonly activePods: readonly string[];
  /** Those of them that have the volumes; the others wait for them. */
  readonly mountingPods: readonly string[];
}

export interface ReceiveClaimFacts {
  readonly name: string;
  /** The claim that a fresh mover fills, in the agent's namespace. */
  readonly incoming: 'Missing' | 'Pending' | 'Bound' | 'Lost';
  /** The claim users see. */
  readonly target: 'Missing' | 'Pending' | 'Bound';
  /** Of the target, for what is to arrive. */
  readonly room: ClaimRoom;
  /** Whether the target is bound to the volume that was filled. */
  readonly handedOver: 'No' | 'Yes';
  /** Whether the ConfigMap with the completed point is written. */
  readonly remembered: 'No' | 'Yes';
}

export type ReceiveStep =
  | { readonly do: 'provision'; readonly claims: readonly string[] }
  | { readonly do: 'scaleDown'; readonly pods: readonly string[] }
  | { readonly do: 'grow'; readonly claims: readonly string[] }
  | { readonly do: 'makeScratch'; readonly bytes: number }
  | { readonly do: 'startMover' }
  /** What is there is too small. */
  | { readonly do: 'removeScratch' }
  /** Ends the mover so that it can start again with scratch space. */
  | { readonly do: 'stopMover' }
  /** Ends a mover that has given up, so that a new one finishes what it began. */
  | { readonly do: 'restartMover'; readonly message: string }
  | { readonly do: 'keepResult'; readonly result: MoverResult }
  | { readonly do: 'handOver'; readonly claims: readonly string[] }
  | { readonly do: 'remember'; readonly claims: readonly string[] }
  | { readonly do: 'wait'; readonly reason: string; readonly message: string }
  | { readonly do: 'complete' }
  | { readonly do: 'fail'; readonly code: string; readonly message: string };

export function decideReceive(facts: ReceiveFacts): ReceiveStep {
  const gone = facts.claims.find(({ target }) => facts.mode === 'update' && target === 'Missing');
  if (gone !== undefined) {
    const message = `persistentvolumeclaim ${gone.name} was deleted on the destination while it was updated`;
    return { do: 'fail', code: 'ClaimGone', message };
  }
  if (facts.result !== undefined) return decideAfterResult(facts, facts.result);
  if (facts.jobResult !== undefined && facts.job !== 'Missing') return decideOnResult(facts, facts.jobResult);
  switch (facts.job) {
    case 'Running':
      return decideAtWork(facts);
    case 'Exhausted':
    case 'Ended':
      return giveUp(facts, {
        code: 'MoverFailed',
        message: `the destination mover ended without a result${because(facts.jobFailure)}`,
      });
    case 'Missing':
      return decideStart(facts);
    default:
      return facts.job satisfies never;
  }
}

function decideAtWork(facts: ReceiveFacts): ReceiveStep {
  const { applying, activePods, mountingPods, jobFailure } = facts;
  // The gate would refuse; and a mover that has not started may wait for the volume for ever.
  if (applying === 'No' && mountingPods.length > 0) return decideActive(facts, mountingPods);
  // It got past the lock: rather an update that is not finished than two that write.
  if (applying === 'Yes' && mountingPods.length > 0)
    return { do: 'restartMover', message: `in use on the destination by pod ${mountingPods.join(', ')}` };
  if (jobFailure !== undefined)
    return { do: 'wait', reason: 'MoverWaiting', message: `the destination mover: ${jobFailure}` };
  const waiting = activePods.length === 0 ? '' : `; pod ${activePods.join(', ')} starts when it is done`;
  return { do: 'wait', reason: 'Receiving', message: `the destination mover is at work${waiting}` };
}

/** Half of two points is no point: an update that has begun is begun again until it is finished. */
function giveUp(facts: ReceiveFacts, why: { readonly code: string; readonly message: string }): ReceiveStep {
  if (facts.applying === 'Yes') return { do: 'restartMover', message: why.message };
  return { do: 'fail', ...why };
}

function decideStart(facts: ReceiveFacts): ReceiveStep {
  if (facts.mode === 'fresh') {
    const missing = facts.claims.filter((claim) => claim.incoming === 'Missing').map((claim) => claim.name);
    if (missing.length > 0) return { do: 'provision', claims: missing };
    const lost = facts.claims.find((claim) => claim.incoming === 'Lost');
    if (lost !== undefined)
      return { do: 'fail', code: 'VolumeLost', message: `the volume provisioned for ${lost.name} is lost` };
    return { do: 'startMover' };
  }
  // Behind the lock of an update that is begun, pods only wait.
  const inTheWay = facts.applying === 'Yes' ? facts.mountingPods : facts.activePods;
  if (inTheWay.length > 0) return decideActive(facts, inTheWay);
  const small = facts.claims.filter(({ room }) => room === 'TooSmall').map((claim) => claim.name);
  if (small.length > 0) return { do: 'grow', claims: small };
  const growing = facts.claims.find(({ room }) => room === 'Growing');
  if (growing !== undefined)
    return { do: 'wait', reason: 'ClaimGrowing', message: `persistentvolumeclaim ${growing.name} is growing` };
  const wanted = facts.wantedScratchBytes;
  if (wanted === undefined || (facts.scratchBytes ?? 0) >= wanted) return { do: 'startMover' };
  return facts.scratchBytes === undefined ? { do: 'makeScratch', bytes: wanted } : { do: 'removeScratch' };
}

function decideActive({ overwrite, applying }: ReceiveFacts, pods: readonly string[]): ReceiveStep {
  if (overwrite === 'Overwrite') return { do: 'scaleDown', pods };
  const message = `in use on the destination by pod ${pods.join(', ')}${applying === 'Yes' ? torn : ''}`;
  return { do: 'fail', code: 'DestinationActive', message };
}

const torn = '; an update of it was interrupted, the snapshot taken before it is kept';

function decideOnResult(facts: ReceiveFacts, result: MoverResult): ReceiveStep {
  switch (result.outcome) {
    case 'Complete':
      return { do: 'keepResult', result };
    case 'NeedsScratch':
      if (facts.scratchBytes !== undefined && facts.scratchBytes >= (result.scratchBytes ?? 0))
        return giveUp(facts, { code: 'ScratchTooSmall', message: result.message });
      return { do: 'stopMover' };
    case 'DestinationChanged':
      // Its pod was made anew from a Job of before the permission: it took what its predecessor wrote for somebody else's.
      if (facts.applying === 'Yes' && facts.jobRedoes === 'No') return { do: 'restartMover', message: result.message };
      return decideRefused(facts, result);
    case 'Refused':
      return decideRefused(facts, result);
    case 'Failed':
      if (facts.job === 'Running') return { do: 'wait', reason: 'MoverRestarting', message: result.message };
      return giveUp(facts, { code: result.code, message: result.message });
    default:
      return result.outcome satisfies never;
  }
}

/** Somebody had the volume between two attempts. What that left is not ours to write over, unless we were told to. */
function decideRefused(facts: ReceiveFacts, result: MoverResult): ReceiveStep {
  if (facts.applying === 'Yes' && facts.overwrite === 'Refuse')
    return { do: 'fail', code: 'DestinationActive', message: `${result.message}${torn}` };
  return giveUp(facts, { code: result.code, message: result.message });
}

/** A claim is remembered as soon as its users have it, so that what follows can't make it look like somebody else's. */
function decideAfterResult(facts: ReceiveFacts, result: MoverResult): ReceiveStep {
  if (result.outcome !== 'Complete') return { do: 'fail', code: result.code, message: result.message };
  const arrived = facts.claims.filter(
    ({ handedOver, target }) => target === 'Bound' && (facts.mode === 'update' || handedOver === 'Yes'),
  );
  const forgotten = arrived.filter((claim) => claim.remembered === 'No').map((claim) => claim.name);
  if (forgotten.length > 0) return { do: 'remember', claims: forgotten };
  if (facts.mode === 'fresh') {
    const open = facts.claims.filter((claim) => claim.handedOver === 'No').map((claim) => claim.name);
    if (open.length > 0) return { do: 'handOver', claims: open };
  }
  const unbound = facts.claims.find((claim) => claim.target !== 'Bound');
  if (unbound !== undefined)
    return { do: 'wait', reason: 'ClaimBinding', message: `persistentvolumeclaim ${unbound.name} is binding` };
  return { do: 'complete' };
}

const because = (failure: string | undefined): string => (failure === undefined ? '' : `: ${failure}`);
