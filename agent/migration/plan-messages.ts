/**
 * What two agents say to each other about a plan: paths are in messages.ts. Everything here is read only on both sides.
 * A wave of objects is planned as it would be applied, but for what earlier waves would have made: the source tells.
 */
import { boolean, type Infer, list, map, object, oneOf, required, string } from '../../crds/schema/index.ts';
import type { AppliedObject } from '../resources/apply/apply-objects.ts';
import { diffLimits } from '../resources/diff-objects.ts';
import { maxWaveObjects, objectResultFields, waveRequestFields } from './messages.ts';

const text = (maxLength: number) => string({ maxLength });
const maxComing = 5000;
/** Changed fields told of one object; the rest is counted by nobody. */
const maxChanges = 10;

const comingSchema = object({
  namespaces: required(list(text(63), { maxItems: maxComing })),
  kinds: required(
    list(
      object({
        group: required(text(253)),
        version: required(text(63)),
        plural: required(text(253)),
        kind: required(text(63)),
        namespaced: required(boolean()),
      }),
      { maxItems: maxComing },
    ),
  ),
  roles: required(list(text(317), { maxItems: maxComing })),
});

export const planObjectsRequestSchema = object({ ...waveRequestFields, coming: required(comingSchema) });

const changeSchema = object({
  path: required(text(diffLimits.pathLength)),
  before: text(diffLimits.valueLength),
  after: text(diffLimits.valueLength),
});

const plannedObjectSchema = object({
  ...objectResultFields,
  /** `No`: decided without the API server. */
  tried: oneOf(['No']),
  /** `No`: the destination does not know its kind. */
  served: oneOf(['No']),
  changes: list(changeSchema, { maxItems: maxChanges }),
});
export type PlannedObject = Infer<typeof plannedObjectSchema>;

export const planObjectsAnswerSchema = object({
  results: required(list(plannedObjectSchema, { maxItems: maxWaveObjects })),
});

/** What is there now is told only where applications may leave for this peer: it could not read it otherwise. */
export function toPlannedObject(
  { ref, changes, reason, ...outcome }: AppliedObject,
  values: 'Tell' | 'Withhold',
): PlannedObject {
  const told = changes?.slice(0, maxChanges);
  return {
    ...{ ...ref, ...outcome, reason: reason?.slice(0, 4096) },
    changes: values === 'Tell' ? told : told?.map(({ path, after }) => ({ path, after })),
  };
}

/** Kinds in namespaces, demands and references in one question: more is left out of the answer, never refused. */
export const maxAsked = 5000;
export const maxSentences = 100;

/** What the scopes of quotas look at, of pods as they are in their template. */
const podTraitsSchema = object({
  /** No container asks for processor or memory, nor limits them. */
  bestEffort: required(boolean()),
  /** It has a deadline. */
  terminating: required(boolean()),
  priorityClass: text(253),
  crossNamespaceAffinity: required(boolean()),
});
export type PodTraits = Infer<typeof podTraitsSchema>;

export const surroundingsRequestSchema = object({
  namespaces: required(
    list(object({ name: required(text(63)), labels: map(text(4096), { maxProperties: 256 }) }), { maxItems: maxAsked }),
  ),
  references: required(
    list(object({ kind: required(text(63)), name: required(string({ minLength: 1, maxLength: 253 })) }), {
      maxItems: maxAsked,
    }),
  ),
  kinds: required(
    list(
      object({
        group: required(text(253)),
        version: required(text(63)),
        kind: required(text(63)),
        namespace: required(text(63)),
        create: required(boolean()),
        update: required(boolean()),
      }),
      { maxItems: maxAsked },
    ),
  ),
  demands: required(
    list(
      object({
        namespace: required(text(63)),
        resource: required(text(317)),
        milli: required(string({ pattern: '^[0-9]{1,30}$' })),
      }),
      { maxItems: maxAsked },
    ),
  ),
  /** What the demands of pods are made of, for quotas that count only some. An older source doesn't tell. */
  podDemands: list(
    object({
      namespace: required(text(63)),
      resource: required(text(317)),
      milli: required(string({ pattern: '^[0-9]{1,30}$' })),
      pod: required(podTraitsSchema),
    }),
    { maxItems: maxAsked },
  ),
  /** Objects whose pods have power over their node. */
  privileged: list(object({ namespace: required(text(63)), object: required(text(317)), why: required(text(512)) }), {
    maxItems: maxAsked,
  }),
});
export type SurroundingsRequest = Infer<typeof surroundingsRequestSchema>;

export const surroundingsAnswerSchema = object({
  /** Of the references, those that are not there. */
  missing: required(list(object({ kind: required(text(63)), name: required(text(253)) }), { maxItems: maxAsked })),
  webhooks: required(list(text(1024), { maxItems: maxSentences })),
  /** Limits that would be crossed. */
  quotas: required(
    list(object({ resource: required(text(317)), message: required(text(1024)) }), { maxItems: maxSentences }),
  ),
  /** Limits of which it can't be told. */
  notJudged: list(text(1024), { maxItems: maxSentences }),
  /** Objects that would be made, but whose pods would not. */
  notAdmitted: list(text(1024), { maxItems: maxSentences }),
});
export type SurroundingsAnswer = Infer<typeof surroundingsAnswerSchema>;

/** What a link's speed is measured with; well below the cap of a message. */
export const maxSpeedText = 4_000_000;
export const speedRequestSchema = object({ filler: required(text(maxSpeedText)) });
export const speedAnswerSchema = object({});

/** As many sentences as an answer may hold; the last one says that there are more. */
export function fitting(all: readonly string[]): readonly string[] {
  const cut = all.map((sentence) => sentence.slice(0, 1024));
  if (cut.length <= maxSentences) return cut;
  return [...cut.slice(0, maxSentences - 1), `and ${cut.length - maxSentences + 1} more`];
}
