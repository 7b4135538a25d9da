/** The pure half of the runner: where an outcome leads, and the status that says so. No I/O, no clock. */
import { isDeepStrictEqual } from 'node:util';
import { type Condition, findCondition, removeCondition, setCondition } from './conditions.ts';
import type { EdgeTarget, Machine, MachineObject, MachineStatus, Step } from './machine.ts';
import type { Outcome } from './outcome.ts';

/** Conditions the runner keeps on every object with a machine. */
export const machineConditions = {
  /** True while it works; the reason is the stage or what it waits for. */
  progressing: 'Progressing',
  /** Present (True) while the last try failed and is retried; reason and message are the error's. */
  stalled: 'Stalled',
  /** False as soon as it failed, True when it ended well; absent before. */
  succeeded: 'Succeeded',
} as const;

/** Where the outcome leads by the table. @throws TypeError for an edge that is not in it: a bug of the stage */
export function decideNext<Stage extends string, Status>(
  machine: {
    readonly name: string;
    readonly stages: Readonly<Record<Stage, { readonly to: readonly string[]; readonly onFail?: Stage | undefined }>>;
  },
  stage: Stage,
  outcome: Outcome<Stage, Status>,
): EdgeTarget<Stage> {
  const spec = machine.stages[stage];
  const bug = (to: string) => new TypeError(`machine ${machine.name} has no edge ${stage} → ${to}`);
  switch (outcome.do) {
    case 'advance':
      if (!spec.to.includes(outcome.to)) throw bug(outcome.to);
      return outcome.to;
    case 'wait':
      return stage;
    case 'fail':
      return spec.onFail ?? 'End';
    case 'finish':
      if (!spec.to.includes('End')) throw bug('End');
      return 'End';
    default:
      return outcome satisfies never;
  }
}

/** The whole status after a step. @throws TypeError when `stageOf` and `statusFor` disagree: a restart would get lost */
export function decideStatus<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus>(
  machine: Machine<T, Stage, Status>,
  step: Step<T, Stage, Status>,
): Status {
  const { object, outcome, next } = step;
  const status = mergeStatus<Status>(object.status, outcome.patch, machine.statusFor(step), {
    observedGeneration: object.metadata.generation,
    conditions: decideConditions(step),
  });
  const reached = machine.stageOf({ ...object, status });
  if (reached !== (next === 'End' ? undefined : next))
    throw new TypeError(`machine ${machine.name}: after ${step.stage} → ${next}, stageOf answers ${reached ?? 'End'}`);
  return status;
}

/** The status with the reason why the last try failed, and nothing else changed. */
export function decideStalledStatus<Status extends MachineStatus>(
  object: MachineObject<Status>,
  failure: { readonly reason: string; readonly message: string },
  now: Date,
): Status {
  const stamp = { now, generation: object.metadata.generation };
  const facts = { type: machineConditions.stalled, status: 'True' as const, ...failure };
  return mergeStatus<Status>(object.status, {
    conditions: setCondition(object.status?.conditions ?? [], facts, stamp),
  });
}

/** Whether two statuses are the same on the wire. */
export function sameOnWire(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(onWire(a), onWire(b));
}

/** A stage's patch may bring conditions of its own; the runner's are set over them. */
function decideConditions<T extends MachineObject<MachineStatus>, Stage extends string, Status extends MachineStatus>(
  step: Step<T, Stage, Status>,
): readonly Condition[] {
  const { object, outcome, next, now } = step;
  const stamp = { now, generation: object.metadata.generation };
  const before = outcome.patch?.conditions ?? object.status?.conditions ?? [];
  let conditions = removeCondition(before, machineConditions.stalled);
  const set = (type: string, status: 'True' | 'False', reason: string, message?: string) => {
    conditions = setCondition(conditions, { type, status, reason, message }, stamp);
  };
  switch (outcome.do) {
    case 'advance':
      set('Progressing', 'True', conditionReason(outcome.to));
      break;
    case 'wait':
      set('Progressing', 'True', outcome.reason, outcome.message);
      break;
    case 'fail':
      set('Succeeded', 'False', outcome.reason, outcome.message);
      if (next === 'End') set('Progressing', 'False', outcome.reason, outcome.message);
      else set('Progressing', 'True', conditionReason(next));
      break;
    case 'finish':
      set('Progressing', 'False', outcome.reason, outcome.message);
      if (!hasFailed(conditions, object.metadata.generation)) set('Succeeded', 'True', outcome.reason, outcome.message);
      break;
    default:
      outcome satisfies never;
  }
  return conditions;
}

/** A failure on the way stays the verdict: the last stages only cleaned up after it. That of an earlier spec doesn't. */
function hasFailed(conditions: readonly Condition[], generation: number | undefined): boolean {
  const verdict = findCondition(conditions, 'Succeeded');
  return verdict?.status === 'False' && verdict.observedGeneration === generation;
}

/** A condition's reason must be CamelCase and not empty; Stork's first stage is the empty string. */
function conditionReason(stage: string): string {
  return stage === '' ? 'Initial' : stage;
}

/** Field-wise merge; a field that ends `undefined` is left out. Every part is a piece of Status, so the whole is one. */
function mergeStatus<Status>(...parts: readonly (object | undefined)[]): Status {
  const fields = Object.entries(Object.assign({}, ...parts)).filter(([, value]) => value !== undefined);
  return Object.fromEntries(fields) as Status;
}

function onWire(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
