/**
 * Which versions of the pair protocol two agents have in common. Each speaks its newest and the one before, so clusters can
 * be updated one after the other. Pure.
 */
import type { Refusal } from './refusal.ts';

export interface ProtocolRange {
  readonly newest: number;
  readonly oldest: number;
}

/** What a preamble says; who doesn't name the oldest speaks the version before its newest, too. */
export function rangeOf(said: {
  readonly protocol: number;
  readonly oldestProtocol?: number | undefined;
}): ProtocolRange {
  return { newest: said.protocol, oldest: said.oldestProtocol ?? Math.max(1, said.protocol - 1) };
}

/** Seen by the side that answers; the message is read by admins of both. */
export function decideVersion(own: ProtocolRange, theirs: ProtocolRange): Refusal | 'Speak' {
  if (theirs.newest < own.oldest) {
    return {
      code: 'VersionTooOld',
      message: `The dialling agent is too old: it speaks version ${theirs.newest} of the pair protocol, the answering one needs ${own.oldest} or newer. Update the agent of the dialling cluster.`,
    };
  }
  if (theirs.oldest > own.newest) {
    return {
      code: 'VersionTooNew',
      message: `The dialling agent is too new: it needs version ${theirs.oldest} of the pair protocol, the answering one speaks up to ${own.newest}. Update the agent of the answering cluster.`,
    };
  }
  return 'Speak';
}
