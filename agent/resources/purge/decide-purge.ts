/**
 * Whether one object of the destination is purged: an earlier migration of this pair brought it, and the source has it no
 * more. Everything doubtful is left. Pure.
 */
import type { AnyObject } from '../../../kube/client/client.ts';
import { controllerOf } from '../controller-of.ts';
import { findGitOpsOwner } from '../gitops.ts';
import { storkNames } from '../names.ts';
import { type GroupKind, groupKindOf, isTrue, refOf, textOfRef } from '../resource-ref.ts';
import { isResting, readSwitches } from '../switches.ts';

/** All names that the source has of one kind in one namespace, within an interval of names. */
export interface PurgeScope {
  readonly namespace: string;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** The interval's start, exclusive; `undefined`: from the first name on. */
  readonly after?: string | undefined;
  /** Its end, inclusive; `undefined`: to the last name. */
  readonly upTo?: string | undefined;
  readonly names: readonly string[];
}

export interface PurgeFacts {
  readonly pairId: string;
  /** When the source began to look: what came later is another migration's business. */
  readonly since: string;
  /** Since when the source has each namespace. */
  readonly namespaces: Readonly<Record<string, string>>;
  readonly selectors: Readonly<Record<string, string>>;
  readonly excludeSelectors: Readonly<Record<string, string>>;
  /** `Plan`: nothing is deleted. */
  readonly mode: 'Run' | 'Plan';
}

export type PurgeDecision =
  | { readonly do: 'leave' }
  | { readonly do: 'delete' }
  /** It would be purged, but something here needs it. */
  | { readonly do: 'refuse'; readonly reason: string };

export function decidePurge(live: AnyObject, facts: PurgeFacts): PurgeDecision {
  if (!cameBefore(live, facts) || isKept(live) || !matchesSelectors(live.metadata.labels ?? {}, facts))
    return { do: 'leave' };
  const { annotations = {}, namespace = '' } = live.metadata;
  if (cameFromAnother(namespace, annotations[storkNames.migrationTime], facts))
    return { do: 'refuse', reason: renewedReason(namespace) };
  // What came by a pair is never told by the label that Argo CD shares with others.
  const owner = findGitOpsOwner(live, 'Absent');
  if (owner !== undefined) return { do: 'refuse', reason: managedReason(owner) };
  const switches = readSwitches(live);
  if (switches.length > 0 && !isResting(live, switches)) return { do: 'refuse', reason: runningReason(live) };
  return { do: 'delete' };
}

/**
 * Whether what came at that time can't be from the namespace that the source has now. One that was lost and made anew
 * lacks everything; that says nothing about what should be here.
 */
export function cameFromAnother(
  namespace: string,
  came: string | undefined,
  { namespaces }: Pick<PurgeFacts, 'namespaces'>,
): boolean {
  return !(Date.parse(came ?? '') >= Date.parse(namespaces[namespace] ?? ''));
}

export const renewedReason = (namespace: string): string =>
  `it came before namespace ${namespace} was made anew on the source: delete it yourself if it is not needed`;

/** Deleted, it would come again, or be missed there; whoever manages it has taken it over. */
export const managedReason = (owner: string): string =>
  `${owner} manages it on the destination: it is left as it is, remove it in Git`;

/** What is purged in a namespace where one of our workloads runs: nothing, because it may need anything there. */
export const runningReason = (workload: AnyObject): string =>
  `${textOfRef(refOf(workload))} runs on the destination: deactivate it first (kubectl stork deactivate migration)`;

/** Whether the object came by this pair and is not at rest. */
export function isRunningCopy(live: AnyObject, pairId: string): boolean {
  if (live.metadata.annotations?.[storkNames.migrationPair] !== pairId) return false;
  const switches = readSwitches(live);
  return switches.length > 0 && !isResting(live, switches);
}

/** Whether the name lies in the scope's interval and the source does not have it. */
export function isMissing(name: string, scope: PurgeScope, names: ReadonlySet<string>): boolean {
  if (scope.after !== undefined && name <= scope.after) return false;
  if (scope.upTo !== undefined && name > scope.upTo) return false;
  return !names.has(name);
}

function cameBefore({ metadata }: AnyObject, { pairId, since }: PurgeFacts): boolean {
  const marks = metadata.annotations ?? {};
  const came = Date.parse(marks[storkNames.migrationTime] ?? '');
  return (
    marks[storkNames.migrationPair] === pairId && (marks[storkNames.sourceUid] ?? '') !== '' && came < Date.parse(since)
  );
}

/** Accounts are merged with what others need of them, and never deleted; what has an owner goes with its owner. */
function isKept(live: AnyObject): boolean {
  const { metadata } = live;
  return (
    neverPurged.has(groupKindOf(live)) ||
    metadata.deletionTimestamp !== undefined ||
    controllerOf(live) !== undefined ||
    isTrue(live, storkNames.skipResource) ||
    isTrue(live, storkNames.skipResourceOld)
  );
}

const neverPurged: ReadonlySet<GroupKind> = new Set(['/ServiceAccount', '/PersistentVolumeClaim']);

/** Only what this migration would have taken along, were it still there. */
export function matchesSelectors(
  labels: Readonly<Record<string, string>>,
  { selectors, excludeSelectors }: Pick<PurgeFacts, 'selectors' | 'excludeSelectors'>,
): boolean {
  if (Object.entries(excludeSelectors).some(([name, value]) => labels[name] === value)) return false;
  return Object.entries(selectors).every(([name, value]) => labels[name] === value);
}
