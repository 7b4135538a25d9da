/** A link's state in words, from what is known of it. Pure. */
import type { LinkState } from '../peer.ts';
import type { Refusal } from './refusal.ts';

export interface LinkFacts {
  readonly admission: 'Admitted' | 'AwaitingConfirmation' | 'Revoked';
  /** Addresses we may dial; with none we wait for the peer. */
  readonly endpoints: readonly string[];
  /** Both lanes on which we can ask the peer are up. */
  readonly connected: 'Yes' | 'No';
  /** The peer's own words, when it last turned us away. */
  readonly refusal: Refusal | undefined;
  /** Why dialling last failed. */
  readonly failure: Refusal | undefined;
}

export function describeLink(facts: LinkFacts): Pick<LinkState, 'state' | 'code' | 'message'> {
  const { refusal, failure } = facts;
  if (facts.admission === 'Revoked') {
    return {
      state: 'Revoked',
      code: 'Revoked',
      message: 'The other cluster revoked the pair: its ClusterPair was deleted.',
    };
  }
  if (facts.connected === 'Yes') return { state: 'Connected', code: 'Connected', message: 'The peer is connected.' };
  if (facts.admission === 'AwaitingConfirmation') {
    return {
      state: 'Waiting',
      code: 'AwaitingConfirmation',
      message: "The joiner's fingerprint awaits confirmation by an admin of this cluster.",
    };
  }
  if (refusal !== undefined) return describeRefusal(refusal);
  if (failure !== undefined)
    return { state: 'Connecting', code: failure.code, message: aboutAll(failure.message, facts.endpoints) };
  if (facts.endpoints.length === 0) {
    return { state: 'Connecting', code: 'WaitingForPeer', message: 'The peer has not connected yet.' };
  }
  return { state: 'Connecting', code: 'Connecting', message: 'Connecting to the peer.' };
}

/** The addresses are dialled in turn: named together, or the text would change with each try. */
function aboutAll(message: string, endpoints: readonly string[]): string {
  const dialled = endpoints.find((endpoint) => message.startsWith(`${endpoint} `));
  return dialled === undefined ? message : `${endpoints.join(' and ')}${message.slice(dialled.length)}`;
}

function describeRefusal(refusal: Refusal): Pick<LinkState, 'state' | 'code' | 'message'> {
  switch (refusal.code) {
    case 'AwaitingConfirmation':
      return { state: 'Waiting', code: refusal.code, message: `The other cluster says: ${refusal.message}` };
    case 'NotReady':
      return { state: 'Connecting', code: refusal.code, message: `The other cluster says: ${refusal.message}` };
    case 'UnknownPair':
    case 'PairRevoked':
      return {
        state: 'Revoked',
        code: 'Revoked',
        message: 'The other cluster no longer admits this pair: its ClusterPair was deleted or made anew.',
      };
    default:
      return { state: 'Refused', code: refusal.code, message: refusal.message };
  }
}
