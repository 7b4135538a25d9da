/** What the accepting ClusterPair on the other cluster, the one made for a pair of ours, needs next. Pure. */
import type { ClusterPair } from '../../../crds/v1alpha1/index.ts';
import { findCondition } from '../../../kube/runtime/conditions.ts';
import { invitedByLabel } from './invited-pair.ts';

export interface InvitationFacts {
  /** What has the name there, if anything. */
  readonly present: ClusterPair | undefined;
  /** Of our ClusterPair. */
  readonly uid: string;
  readonly now: Date;
}

export type InvitationDecision =
  | { readonly do: 'Create' }
  /** Its code can't be used by us any more; it is ours, so it goes and comes anew. */
  | { readonly do: 'Replace'; readonly uid: string }
  | { readonly do: 'UseCode' }
  | { readonly do: 'Wait'; readonly message: string }
  | { readonly do: 'Fail'; readonly code: string; readonly message: string; readonly hint?: string };

/** An agent that runs has answered by then. */
const silentAfterMs = 20_000;

export function decideInvitation({ present, uid, now }: InvitationFacts): InvitationDecision {
  if (present === undefined) return { do: 'Create' };
  const { metadata, status } = present;
  if (metadata.labels?.[invitedByLabel] !== uid) {
    const message = `The other cluster has a ClusterPair ${metadata.namespace}/${metadata.name} that was not made for this pair`;
    return { do: 'Fail', code: 'RemoteNameTaken', message, hint: 'Make this pair under another name.' };
  }
  if (metadata.deletionTimestamp !== undefined) return wait('The former ClusterPair there is being deleted.');
  const invited = findCondition(status?.conditions, 'Invited');
  if (invited?.status === 'True') return { do: 'UseCode' };
  // Joined by a key that we hold no trust for, or too late for everybody.
  const isSpent = status?.peer !== undefined || invited?.reason === 'CodeExpired' || invited?.reason === 'CodeUsed';
  if (isSpent) return { do: 'Replace', uid: metadata.uid ?? '' };
  if (status?.schedulerStatus === 'Error' && invited !== undefined)
    return { do: 'Fail', code: invited.reason, message: `The agent there says: ${invited.message}` };
  if (invited !== undefined) return wait(`The agent there says: ${invited.message}`);
  const ageMs = now.getTime() - new Date(metadata.creationTimestamp ?? now).getTime();
  if (ageMs < silentAfterMs) return wait('The agent there makes an invitation.');
  const message = `No agent there has picked up the ClusterPair ${metadata.namespace}/${metadata.name} of ${metadata.creationTimestamp}`;
  const hint = 'Look at it there: `kubectl stork status`.';
  return { do: 'Fail', code: 'RemoteAgentSilent', message, hint };
}

const wait = (message: string): InvitationDecision => ({ do: 'Wait', message });
