/**
 * How one incoming object is written, by what is there already. Pure.
 *
 * Ours is what came by this pair (its annotation says so), or our own original coming back: the incoming object says
 * which uid it had here. Anything else belongs to somebody and is left as it is.
 */
import { createHash } from 'node:crypto';
import type { AnyObject } from '../../../kube/client/client.ts';
import { grantCovers } from '../../peer/grant-covers.ts';
import { annotate, covers, type Fields, fieldsOf, isFields, itemsOf, textOf } from '../fields.ts';
import { type ArgoCd, findGitOpsOwner } from '../gitops.ts';
import { storkNames } from '../names.ts';
import { type GroupKind, groupKindOf } from '../resource-ref.ts';
import { isResting, keptSwitches, onlySwitches, readSwitches, withoutSwitches } from '../switches.ts';
import { findDuplicateKey } from './duplicate-keys.ts';
import { whyImmutable } from './immutable-fields.ts';

export interface ApplyFacts {
  readonly pairId: string;
  readonly migration: {
    readonly namespace: string;
    readonly name: string;
    readonly time: string;
    /** Who asked for it on the source, for audits. */
    readonly requester?: string | undefined;
  };
  readonly grant: ApplyGrant;
  /** On this cluster; absent: it has none. */
  readonly argoCd?: ArgoCd | undefined;
}

export interface ApplyGrant {
  /** `*`: all but the system's. */
  readonly namespaces: readonly string[];
  /** `Kind`, `Kind.group` or `*`. */
  readonly clusterScopedKinds: readonly string[];
}

export type ApplyDecision =
  /** Nothing is there: create it resting. */
  | { readonly do: 'create'; readonly object: AnyObject; readonly by: 'Apply' | 'Create' }
  | {
      readonly do: 'update';
      /** Without switches: the resources manager gives up those that it owned since it made the object. */
      readonly base: AnyObject;
      readonly by: 'Apply' | 'Patch';
      /** Applied by the activation manager before, so that at no instant a switch has no owner and falls to its default. */
      readonly switches: AnyObject | undefined;
    }
  /** A JSON merge patch over the version that was read. */
  | { readonly do: 'merge'; readonly patch: Fields; readonly reason: string }
  | Left;

interface Left {
  readonly do: 'leave';
  readonly result: 'Unchanged' | 'Conflict' | 'Failed' | 'Skipped';
  readonly reason: string | undefined;
  /** Who keeps the live object in line with Git. */
  readonly managedBy?: string;
}

export function decideApply(incoming: AnyObject, live: AnyObject | undefined, facts: ApplyFacts): ApplyDecision {
  const stamped = stamp(incoming, live, facts);
  const switches = readSwitches(stamped);
  const duplicate = findDuplicateKey(stamped);
  if (live === undefined) {
    const by = duplicate === undefined ? 'Apply' : 'Create';
    return { do: 'create', object: stamped, by };
  }
  if (live.metadata.deletionTimestamp !== undefined) return leave('Failed', 'it is being deleted on the destination');
  if (createOnly.has(groupKindOf(incoming))) return decideCreateOnly(live, facts);
  const managed = decideManaged(incoming, live, facts);
  if (managed !== undefined) return managed;
  const ownership = ownershipOf(incoming, live, facts.pairId);
  if (ownership === 'Foreign') return decideForeign(incoming, live);
  const rests = switches.length > 0 && isResting(live, switches);
  // What runs keeps also the switches that only it has: activation wrote them.
  const kept = rests ? switches : [...switches, ...readSwitches(live)];
  const base = kept.length === 0 ? stamped : withoutSwitches(stamped, kept);
  if (isSame(base, live)) return leave('Unchanged', undefined);
  const immutable = whyImmutable(base, live);
  if (immutable !== undefined) return leave('Failed', immutable);
  return {
    do: 'update',
    by: duplicate === undefined ? 'Apply' : 'Patch',
    base,
    // A running application keeps its count and its annotation, whoever set them.
    switches: rests ? onlySwitches(stamped, switches) : keptSwitches(live),
  };
}

/** Why the grant does not cover the object; `undefined`: it does. */
export function whyNotGranted(object: AnyObject, grant: ApplyGrant): string | undefined {
  const { namespace } = object.metadata;
  const kind = groupKindOf(object);
  const place = kind === '/Namespace' ? object.metadata.name : namespace;
  if (place !== undefined) {
    return grantCovers(grant.namespaces, place)
      ? undefined
      : `namespace ${place} is not in the pair's grant on the destination`;
  }
  const [group] = kind.split('/');
  const names = group === '' ? [object.kind] : [object.kind, `${object.kind}.${group}`];
  const isGranted = [...names, '*'].some((name) => grant.clusterScopedKinds.includes(name));
  return isGranted
    ? undefined
    : `kind ${names.at(-1)} is not in the pair's grant on the destination; its admin may add it to spec.grant.clusterScopedKinds of the ClusterPair there`;
}

/** Stork creates these and never changes them: others share them. */
const createOnly: ReadonlySet<GroupKind> = new Set(['/Namespace', 'apiextensions.k8s.io/CustomResourceDefinition']);

export const leftAsIs = 'it exists; only created, never changed';

function decideCreateOnly(live: AnyObject, { argoCd = 'Absent' }: ApplyFacts): ApplyDecision {
  const owner = findGitOpsOwner(live, argoCd);
  const left = leave('Unchanged', leftAsIs);
  return owner === undefined ? left : { ...left, reason: `${left.reason}; ${owner} manages it`, managedBy: owner };
}

/** It got this very content last time, and nobody took any of it away since. */
const isSame = (base: AnyObject, live: AnyObject): boolean => {
  const hash = base.metadata.annotations?.[storkNames.resourceHash];
  return live.metadata.annotations?.[storkNames.resourceHash] === hash && covers(live, asStored(base));
};

/** Kubernetes' own kinds are stored without their empty lists; what a custom resource means by one is its own matter. */
function asStored(object: AnyObject): unknown {
  const [group = ''] = groupKindOf(object).split('/');
  return group.includes('.') && !group.endsWith('.k8s.io') ? object : withoutEmptyLists(object);
}

function withoutEmptyLists(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmptyLists);
  if (!isFields(value)) return value;
  const kept = Object.entries(value).map(([name, item]) => [
    name,
    Array.isArray(item) && item.length === 0 ? undefined : withoutEmptyLists(item),
  ]);
  return Object.fromEntries(kept);
}

type Ownership = 'Ours' | 'Foreign';

function ownershipOf(incoming: AnyObject, live: AnyObject, pairId: string): Ownership {
  const marks = live.metadata.annotations ?? {};
  if (marks[storkNames.migrationPair] === pairId) return 'Ours';
  const origin = incoming.metadata.annotations?.[storkNames.originUid];
  return origin !== undefined && origin === live.metadata.uid ? 'Ours' : 'Foreign';
}

/** What Git says holds: we would be undone, or undo it. Whether it runs is not compared. */
function decideManaged(
  incoming: AnyObject,
  live: AnyObject,
  { argoCd = 'Absent' }: ApplyFacts,
): ApplyDecision | undefined {
  const owner = findGitOpsOwner(live, argoCd);
  if (owner === undefined) return undefined;
  const { metadata: _metadata, ...content } = withoutSwitches(incoming, readSwitches(incoming));
  const kept = covers(live, content)
    ? leave('Unchanged', `${owner} manages it on the destination, and it has the same content`)
    : leave('Conflict', `${owner} manages it on the destination: it is left as it is, change it in Git`);
  return { ...kept, managedBy: owner };
}

function decideForeign(incoming: AnyObject, live: AnyObject): ApplyDecision {
  if (groupKindOf(incoming) === '/ServiceAccount') return mergeAccount(incoming, live);
  const { metadata: _metadata, ...content } = incoming;
  if (covers(live, content)) return leave('Unchanged', 'it is there already with the same content, and not ours');
  const pair = live.metadata.annotations?.[storkNames.migrationPair];
  const whose = pair === undefined ? 'did not come by a migration' : `came by another pair (${pair})`;
  return leave('Conflict', `an object of that name ${whose}; it is left as it is`);
}

/** Stork's merge: pull secrets, secrets and annotations are added, automounting is taken over; nothing is removed. */
function mergeAccount(incoming: AnyObject, live: AnyObject): ApplyDecision {
  const lists = ['imagePullSecrets', 'secrets'].flatMap((name) => {
    const present = itemsOf(live[name]);
    const names = new Set(present.map((item) => textOf(fieldsOf(item).name)));
    const added = itemsOf(incoming[name]).filter((item) => !names.has(textOf(fieldsOf(item).name)));
    return added.length === 0 ? [] : [[name, [...present, ...added]] as const];
  });
  const automount = incoming.automountServiceAccountToken;
  const changesMount = automount !== undefined && automount !== live.automountServiceAccountToken;
  const annotations = Object.entries(incoming.metadata.annotations ?? {}).filter(
    ([name]) => live.metadata.annotations?.[name] === undefined && !ownMarks.has(name),
  );
  if (lists.length === 0 && !changesMount && annotations.length === 0) {
    return leave('Unchanged', 'the ServiceAccount that is there has everything already');
  }
  const patch = {
    ...Object.fromEntries(lists),
    ...(changesMount ? { automountServiceAccountToken: automount } : {}),
    metadata: { annotations: Object.fromEntries(annotations) },
  };
  return { do: 'merge', patch, reason: 'merged into the ServiceAccount that was there' };
}

/** Marks that say an object came by a migration: a merged ServiceAccount did not. */
const ownMarks: ReadonlySet<string> = new Set([
  storkNames.migrationPair,
  storkNames.sourceUid,
  storkNames.originUid,
  storkNames.migrated,
]);

/**
 * The incoming object with Stork's marks. When the content is what the live object got last time, its marks of that time
 * are kept, so that an unchanged object is not written at all.
 */
function stamp(incoming: AnyObject, live: AnyObject | undefined, facts: ApplyFacts): AnyObject {
  const bare = annotate(incoming, { [storkNames.originUid]: undefined });
  const hash = hashOf(bare);
  const was = live?.metadata.annotations ?? {};
  const isSame = was[storkNames.resourceHash] === hash;
  const { namespace, name, time, requester } = facts.migration;
  const told = (annotation: string, value: string) => (isSame ? (was[annotation] ?? value) : value);
  return annotate(bare, {
    [storkNames.migrated]: 'true',
    [storkNames.migrationPair]: facts.pairId,
    [storkNames.migrationName]: told(storkNames.migrationName, name),
    [storkNames.migrationNamespace]: told(storkNames.migrationNamespace, namespace),
    [storkNames.migrationTime]: told(storkNames.migrationTime, time),
    [storkNames.migrationRequester]:
      requester === undefined ? undefined : told(storkNames.migrationRequester, requester),
    [storkNames.resourceHash]: hash,
  });
}

const hashOf = (object: AnyObject): string => createHash('sha256').update(canonical(object)).digest('hex').slice(0, 16);

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isFields(value)) return JSON.stringify(value) ?? 'null';
  const names = Object.keys(value)
    .filter((name) => value[name] !== undefined)
    .toSorted();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
}

const leave = (result: Left['result'], reason: string | undefined): Left => ({
  do: 'leave',
  result,
  reason,
});
