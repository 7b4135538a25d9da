/**
 * Conditions as Kubernetes means them: one per type, `lastTransitionTime` moves only when `status` does, and
 * `observedGeneration` says which spec was judged. Pure.
 */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number | undefined;
}

export interface ConditionFacts {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  /** CamelCase; equals the StorkError's code or the outcome's reason. */
  readonly reason: string;
  readonly message?: string | undefined;
}

/** Longest message we write; the API server takes 32768, people don't. */
const messageLimit = 2048;

/** The list with `facts` set; the same array when nothing changed. */
export function setCondition(
  conditions: readonly Condition[],
  facts: ConditionFacts,
  stamp: { readonly now: Date; readonly generation?: number | undefined },
): readonly Condition[] {
  const before = findCondition(conditions, facts.type);
  const after: Condition = {
    type: facts.type,
    status: facts.status,
    reason: facts.reason,
    message: (facts.message ?? '').slice(0, messageLimit),
    lastTransitionTime: before?.status === facts.status ? before.lastTransitionTime : rfc3339(stamp.now),
    ...(stamp.generation === undefined ? {} : { observedGeneration: stamp.generation }),
  };
  if (before === undefined) return [...conditions, after];
  if (sameCondition(before, after)) return conditions;
  return conditions.map((condition) => (condition.type === facts.type ? after : condition));
}

/** The list without conditions of `type`; the same array when there was none. */
export function removeCondition(conditions: readonly Condition[], type: string): readonly Condition[] {
  return findCondition(conditions, type) === undefined
    ? conditions
    : conditions.filter((condition) => condition.type !== type);
}

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isConditionTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True';
}

/** A time as metav1.Time has it: UTC, whole seconds. */
export function rfc3339(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

function sameCondition(a: Condition, b: Condition): boolean {
  return (
    a.status === b.status &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.observedGeneration === b.observedGeneration
  );
}
