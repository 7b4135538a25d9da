/** A plan as it lies in status, from what was found out. Pure. */
import { packObjects } from '../../../../crds/packed-plan.ts';
import {
  type MigrationPlan,
  type MigrationStatus,
  type PlanAction,
  type PlannedObject,
  planLimits,
} from '../../../../crds/v1alpha1/index.ts';
import type { Refusal } from '../decide-initial.ts';
import type { Estimate } from './estimate-time.ts';
import type { SurroundingsPlan } from './plan-surroundings.ts';
import type { PlannedVolume } from './plan-volumes.ts';

export interface PlanFacts {
  readonly refusals: readonly Refusal[];
  readonly objects: readonly PlannedObject[];
  readonly volumes: readonly PlannedVolume[];
  readonly rules: readonly string[];
  readonly stops: readonly string[];
  readonly surroundings: SurroundingsPlan;
  readonly estimate: Estimate;
  /** How the run would end as far as its resources go. */
  readonly ending: NonNullable<MigrationStatus['ending']>;
  readonly activeSideAfter: string;
}

export function composePlan(facts: PlanFacts): MigrationPlan {
  const { objects, surroundings } = facts;
  const volumes = facts.volumes.toSorted((a, b) => volumeOrder.indexOf(a.action) - volumeOrder.indexOf(b.action));
  const { packed, count } = packObjects(objects);
  const sorted = objects.toSorted((a, b) => objectOrder.indexOf(a.action) - objectOrder.indexOf(b.action));
  return {
    verdict: verdictOf(facts),
    refusals: capped(facts.refusals.map(({ message, hint }) => sentence(message, hint))),
    missing: capped(surroundings.missing),
    warnings: capped(surroundings.warnings),
    counts: countActions(objects),
    kinds: countKinds(objects).slice(0, planLimits.kinds),
    objects: sorted
      .slice(0, planLimits.objects)
      .map(({ changes: _, tried: _tried, served: _served, ...object }) => object),
    packedObjects: packed,
    truncated: count < objects.length,
    volumes: volumes.slice(0, planLimits.volumes),
    bytesTotal: volumes.reduce((sum, { usedBytes }) => sum + (usedBytes ?? 0), 0),
    volumesUnknown: volumes.filter(({ usedBytes }) => usedBytes === undefined).length,
    estimate: facts.estimate,
    webhooks: capped(surroundings.webhooks),
    images: capped(surroundings.images),
    rules: capped(facts.rules),
    stops: capped(facts.stops),
    activeSideAfter: facts.activeSideAfter,
  };
}

/** What the run would say when it ends. */
export const statusOfVerdict = { Ready: 'Successful', Partial: 'PartialSuccess', Refused: 'Failed' } as const;

function verdictOf({ refusals, ending, surroundings }: PlanFacts): keyof typeof statusOfVerdict {
  if (refusals.length > 0) return 'Refused';
  return ending.status === 'Successful' && surroundings.crowded.length === 0 ? 'Ready' : 'Partial';
}

/** What needs a look first. */
const objectOrder: readonly PlanAction[] = ['Conflict', 'Fail', 'Delete', 'Update', 'Skip', 'Create', 'Unchanged'];
const volumeOrder: readonly PlannedVolume['action'][] = ['Refuse', 'Update', 'Fill'];

function countActions(objects: readonly PlannedObject[]): NonNullable<MigrationPlan['counts']> {
  const of = (action: PlanAction) => objects.filter((object) => object.action === action).length;
  return {
    create: of('Create'),
    update: of('Update'),
    unchanged: of('Unchanged'),
    skip: of('Skip'),
    conflict: of('Conflict'),
    fail: of('Fail'),
    delete: of('Delete'),
  };
}

function countKinds(objects: readonly PlannedObject[]): NonNullable<MigrationPlan['kinds']> {
  const kinds = Map.groupBy(objects, ({ group = '', kind = '' }) => `${kind}.${group}`);
  return [...kinds.values()].map((ofKind) => {
    const { create, update, unchanged } = countActions(ofKind);
    const [first] = ofKind;
    const other = ofKind.length - (create ?? 0) - (update ?? 0) - (unchanged ?? 0);
    return { group: first?.group ?? '', kind: first?.kind ?? '', create, update, unchanged, other };
  });
}

const sentence = (message: string, hint: string | undefined): string =>
  hint === undefined ? message : `${message.replace(/\.$/, '')}. ${hint}`;

/** The last line of a list that is too long says so. */
function capped(sentences: readonly string[]): readonly string[] {
  if (sentences.length <= planLimits.sentences) return sentences;
  const shown = sentences.slice(0, planLimits.sentences - 1);
  return [...shown, `and ${sentences.length - shown.length} more`];
}
