/** The invitations and trust of pairing, as the peer service asks for them: by pair id, durable before it answers a peer. */
import type { Clock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import type { InvitationRecord } from '../peer/invitation.ts';
import type { PairingDesk } from '../peer/peer-service.ts';
import { maxFormerPins, type PairTrust, type TrustStore } from './trust.ts';

export interface DeskOptions {
  readonly trusts: TrustStore;
  readonly clock: Clock;
  /** The ClusterPair that a pair id belongs to. */
  readonly uidOf: (pairId: string) => string | undefined;
  /** What a ClusterPair's status is made of has changed. */
  readonly onChange: (uid: string) => void;
}

export function createDesk({ trusts, clock, uidOf, onChange }: DeskOptions): PairingDesk {
  const change = async (uid: string, edit: (trust: PairTrust) => PairTrust, signal?: AbortSignal) => {
    const written = await trusts.change(uid, edit, signal);
    onChange(uid);
    return written;
  };
  return {
    async find(pairId, signal) {
      const uid = uidOf(pairId);
      const held = uid === undefined ? undefined : await trusts.find(uid, signal);
      return held === undefined ? undefined : invitationOf(held.trust, pairId);
    },
    async bind({ pairId, pin, cluster, version, endpoints }, signal) {
      const uid = uidOf(pairId);
      if (uid === undefined) throw gone();
      await change(
        uid,
        (trust) => {
          if (trust.pairId !== pairId) throw gone();
          if (trust.peerPin !== undefined && trust.peerPin !== pin) throw raced();
          return { ...trust, peerPin: pin, cluster, version, endpoints };
        },
        signal,
      );
    },
    async refused({ pairId, pin }, refusal, signal) {
      const uid = uidOf(pairId);
      // Only somebody who has the code gets as far as CodeUsed, so strangers can't make us write.
      if (uid === undefined || refusal.code !== 'CodeUsed') return;
      const held = await trusts.find(uid, signal);
      if (held?.trust.rivalPin !== pin) await change(uid, (trust) => ({ ...trust, rivalPin: pin }), signal);
    },
    async succeeded(pair, { from, to }, signal) {
      await change(
        pair.uid,
        (trust) =>
          trust.peerPin === from
            ? { ...trust, peerPin: to, formerPins: [from, ...(trust.formerPins ?? [])].slice(0, maxFormerPins) }
            : trust,
        signal,
      );
    },
    async revokedByPeer(pair, signal) {
      const revoked = clock.now().toISOString();
      await change(pair.uid, (trust) => ({ ...trust, revoked: trust.revoked ?? revoked }), signal);
    },
  };
}

function invitationOf(trust: PairTrust, pairId: string): InvitationRecord | undefined {
  const { invitation, peerPin } = trust;
  if (trust.pairId !== pairId || invitation === undefined || trust.revoked !== undefined) return undefined;
  return { pairId, proofKey: invitation.proofKey, expires: invitation.expires, joinerPin: peerPin };
}

const gone = () => new StorkError({ code: 'UnknownCode', message: 'The invitation is gone' });
const raced = () =>
  new StorkError({ code: 'JoinContended', message: 'Another joiner was faster; ask again', retryable: true });
