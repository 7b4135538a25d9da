/** How far a pair has come, before its link is looked at. */
import type { HeldTrust } from './trust.ts';

export type PairProgress =
  /** The code waits in the Secret `secret` for a joiner. */
  | { readonly at: 'Invited'; readonly held: HeldTrust; readonly secret: string; readonly expires: Date }
  /** The peer's key is known. `trouble`: what is left to do at the peer failed, and is tried again. */
  | {
      readonly at: 'Joined';
      readonly held: HeldTrust;
      readonly trouble?: Trouble | undefined;
      readonly retrySeconds?: number | undefined;
    }
  /** Not yet, but trying again may help. */
  | { readonly at: 'Waiting'; readonly code: string; readonly message: string; readonly retrySeconds: number }
  /** Somebody must act; with `retrySeconds` their act is looked for, without it is seen in the ClusterPair. */
  | (Trouble & {
      readonly at: 'Failed';
      readonly held?: HeldTrust | undefined;
      readonly retrySeconds?: number | undefined;
    });

export interface Trouble {
  readonly code: string;
  readonly message: string;
}

export const failed = (code: string, message: string, held?: HeldTrust): PairProgress => ({
  at: 'Failed',
  code,
  message,
  held,
});
