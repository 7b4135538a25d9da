/**
 * Whether a claim is purged that the source has no more. Its volume may hold the only copy of what it was written with, so
 * only the claim goes: the volume stays, Released, until a person gives it up. Pure.
 */
import { findGitOpsOwner } from '../../resources/gitops.ts';
import { storkNames } from '../../resources/names.ts';
import {
  cameFromAnother,
  managedReason,
  matchesSelectors,
  type PurgeFacts,
  renewedReason,
} from '../../resources/purge/decide-purge.ts';
import type { ClaimRecord } from '../records.ts';

export interface PurgeClaimFacts {
  readonly claim: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly terminating: boolean;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly record: ClaimRecord | undefined;
  readonly request: PurgeFacts;
  /** Why nothing is deleted in its namespace. */
  readonly running: string | undefined;
  readonly pods: readonly string[];
  /** The unfinished operation that writes it. */
  readonly busyWith: string | undefined;
}

export type PurgeClaimDecision =
  | { readonly do: 'leave' }
  | { readonly do: 'delete' }
  | { readonly do: 'refuse'; readonly reason: string };

export function decidePurgeClaim(facts: PurgeClaimFacts): PurgeClaimDecision {
  const { claim, record, request, pods, busyWith } = facts;
  const isOurs = record?.role === 'Destination' && record.pairId === request.pairId && record.claimUid === claim.uid;
  if (!isOurs || Date.parse(record.time) >= Date.parse(request.since)) return { do: 'leave' };
  if (claim.terminating || claim.annotations[storkNames.skipResource] === 'true') return { do: 'leave' };
  if (!matchesSelectors(claim.labels, request)) return { do: 'leave' };
  if (cameFromAnother(claim.namespace, record.time, request))
    return { do: 'refuse', reason: renewedReason(claim.namespace) };
  const owner = findGitOpsOwner({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: claim }, 'Absent');
  if (owner !== undefined) return { do: 'refuse', reason: managedReason(owner) };
  if (facts.running !== undefined) return { do: 'refuse', reason: facts.running };
  if (busyWith !== undefined) return { do: 'refuse', reason: `${busyWith} is writing it` };
  if (pods.length > 0) return { do: 'refuse', reason: `pod ${pods.join(', ')} uses it on the destination` };
  return { do: 'delete' };
}
