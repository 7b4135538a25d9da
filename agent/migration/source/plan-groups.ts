/**
 * Which claims travel in one mover. Claims that a pod mounts together must end on one node (WaitForFirstConsumer binds a
 * volume where its first consumer runs), so they are written by one mover that carries that pod's placement constraints.
 * Pure; claims nobody mounts travel alone.
 */
import { maxGroupClaims } from '../messages.ts';

export interface ClaimToGroup {
  readonly namespace: string;
  readonly name: string;
  /** How the destination will write it: the two kinds need different movers. */
  readonly mode: 'fresh' | 'update';
}

export interface ConsumerPod {
  readonly namespace: string;
  readonly name: string;
  readonly claims: readonly string[];
}

export interface ClaimGroup {
  /** Stable within an operation: derived from the members. */
  readonly id: string;
  readonly mode: 'fresh' | 'update';
  readonly namespace: string;
  readonly claims: readonly string[];
  /** A pod that mounts them, whose constraints the movers take over. */
  readonly consumer: string | undefined;
}

export function planGroups(claims: readonly ClaimToGroup[], pods: readonly ConsumerPod[]): readonly ClaimGroup[] {
  const parent = new Map<string, string>(claims.map((claim) => [key(claim), key(claim)]));
  const modes = new Map(claims.map((claim) => [key(claim), claim.mode]));
  for (const pod of pods) {
    const mounted = pod.claims.map((name) => key({ namespace: pod.namespace, name })).filter((id) => parent.has(id));
    for (const mode of ['fresh', 'update'] as const)
      joinAll(
        parent,
        mounted.filter((id) => modes.get(id) === mode),
      );
  }
  const members = Map.groupBy(claims, (claim) => rootOf(parent, key(claim)));
  return [...members.values()]
    .flatMap(inMovers)
    .map((group) => toGroup(group, pods))
    .sort((a, b) => compare(a.id, b.id));
}

/** A mover's result has room for so many. Only a chain of pods over shared claims is longer, and those bind anywhere. */
function inMovers(claims: readonly ClaimToGroup[]): readonly (readonly ClaimToGroup[])[] {
  const sorted = claims.toSorted((a, b) => compare(a.name, b.name));
  const movers = Math.ceil(sorted.length / maxGroupClaims);
  return Array.from({ length: movers }, (_, index) =>
    sorted.slice(index * maxGroupClaims, (index + 1) * maxGroupClaims),
  );
}

function toGroup(group: readonly ClaimToGroup[], pods: readonly ConsumerPod[]): ClaimGroup {
  const names = group.map((claim) => claim.name).sort(compare);
  const [first] = group;
  if (first === undefined) throw new RangeError('a group has at least one claim');
  const consumer = pods.find(
    (pod) => pod.namespace === first.namespace && names.every((name) => pod.claims.includes(name)),
  );
  return {
    id: `${first.namespace}/${names.join('+')}`,
    mode: first.mode,
    namespace: first.namespace,
    claims: names,
    consumer: consumer?.name,
  };
}

const key = (claim: { readonly namespace: string; readonly name: string }): string =>
  `${claim.namespace}/${claim.name}`;

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function rootOf(parent: Map<string, string>, id: string): string {
  let root = id;
  for (let up = parent.get(root); up !== undefined && up !== root; up = parent.get(root)) root = up;
  return root;
}

function joinAll(parent: Map<string, string>, ids: readonly string[]): void {
  const [first, ...rest] = ids;
  if (first === undefined) return;
  for (const id of rest) parent.set(rootOf(parent, id), rootOf(parent, first));
}
