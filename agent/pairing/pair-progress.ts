/** How far a pair has come, before its link is looked at. */
import type { HeldTrust } from './trust.ts';

export type PairProgress =
  /** The code waits in the Secret `secret` for a joiner. */
  | { readonly at: 'Invited'; readonly held: HeldTrust; readonly secret: string; readonly expires: Date }
  /** The peer's key is known. */
  | { readonly at: 'Joined'; readonly held: HeldTrust }
  /** Not yet, but trying again may help. */
  | { readonly at: 'Waiting'; readonly code: string; readonly message: string; readonly retrySeconds: number }
  /** Somebody must act. */
  | { readonly at: 'Failed'; readonly code: string; readonly message: string; readonly held?: HeldTrust | undefined };

export const failed = (code: string, message: string, held?: HeldTrust): PairProgress => ({
  at: 'Failed',
  code,
  message,
  held,
});
