/**
 * A reconciler as a table of stages with typed edges. `run` gathers facts, calls a pure decide function, does idempotent
 * effects through `context.effect`, and returns an Outcome; run-machine.ts carries it out.
 * The stage is derived from status alone, so that a restarted agent goes on where the last one stopped.
 */
import type { KubeClient, KubeObject, Resource } from '../client/client.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Condition } from './conditions.ts';
import type { Outcome, StatusPatch } from './outcome.ts';

/** What every machine's status has; the runner keeps these two fields. */
export interface MachineStatus {
  readonly conditions?: readonly Condition[] | undefined;
  readonly observedGeneration?: number | undefined;
}

export type MachineObject<Status> = KubeObject & { readonly status?: Status | undefined };

/** Where an edge may lead: another stage, or the end (`finish`, or `fail` in a stage without `onFail`). */
export type EdgeTarget<Stage extends string> = Stage | 'End';

export interface StageContext<T> {
  /** As it was read when this run began; never from a cache. */
  readonly object: T;
  readonly client: KubeClient;
  readonly clock: Clock;
  /** Aborted when the agent stops or loses leadership. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /**
   * Names an effect and does it. Tests kill the agent before and after each. Names are stable and may carry the object,
   * e.g. `create job mover-1`. The effect must be idempotent: after a crash it is done again.
   */
  effect<Result>(name: string, run: () => Promise<Result>): Promise<Result>;
}

export interface StageSpec<T, Stage extends string, Status> {
  /** What happens here, one sentence for docs/states. */
  readonly does: string;
  /** Where `advance` may lead; 'End' allows `finish`. */
  readonly to: readonly EdgeTarget<Stage>[];
  /** Where `fail` leads (a stage that cleans up); 'End' when absent. */
  readonly onFail?: Stage | undefined;
  /** The stage fails with `StageDeadlineExceeded` when it lasts longer. Needs the machine's `stageStartTime`. */
  readonly deadlineSeconds?: number | ((object: T) => number | undefined) | undefined;
  run(context: StageContext<T>): Promise<Outcome<Stage, Status>>;
}

/** One judged run: what was, what the stage said, and where that leads. */
export interface Step<T, Stage extends string, Status> {
  readonly object: T;
  readonly stage: Stage;
  /** The stage after this step; the same on `wait`, 'End' when the operation ends. */
  readonly next: EdgeTarget<Stage>;
  readonly outcome: Outcome<Stage, Status>;
  readonly now: Date;
}

export interface CleanupSpec<T, Status> {
  /** Set before the first stage runs; removed when `run` returns 'Done'. */
  readonly finalizer: string;
  /** Runs while the object is being deleted. Idempotent, like a stage. */
  run(context: StageContext<T>): Promise<'Done' | (Outcome<never, Status> & { readonly do: 'wait' })>;
}

export interface Machine<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus> {
  /** Lower case, e.g. `migration`; names the controller, metrics and docs/states/NAME.md. */
  readonly name: string;
  readonly resource: Resource<T>;
  readonly initial: Stage;
  readonly stages: Readonly<Record<Stage, StageSpec<T, Stage, Status>>>;
  /** The stage an object is in, from its status alone; `undefined` when it has ended or isn't ours to run. */
  stageOf(object: T): Stage | undefined;
  /**
   * The machine's own status fields (stage, status, times, …) after a step, merged over the outcome's patch. Pure. After a
   * step to 'End', `stageOf` must answer `undefined`, after any other step `next`: the runner checks it.
   */
  statusFor(step: Step<T, Stage, Status>): StatusPatch<Status>;
  /** `No`: no events are recorded about this object. */
  tells?(object: T): 'Yes' | 'No';
  /** What events and the log add to a stage that ended, where its outcome says nothing: `status` as it was written. Pure. */
  story?(object: T, status: Status): string | undefined;
  /** When the current stage began (RFC 3339), for deadlines. */
  stageStartTime?(object: T): string | undefined;
  readonly cleanup?: CleanupSpec<T, Status> | undefined;
}

/** Checks the table: every edge leads to a stage of it, and every stage can be reached from `initial`. */
export function defineMachine<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus>(
  machine: Machine<T, Stage, Status>,
): Machine<T, Stage, Status> {
  const problems = planProblems(machine);
  if (problems.length > 0) throw new TypeError(`machine ${machine.name}: ${problems.join('; ')}`);
  return machine;
}

export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly by: 'advance' | 'finish' | 'fail';
}

/** The shape of a machine without its types, for what only reads the table. */
export interface MachineTable {
  readonly name: string;
  readonly initial: string;
  readonly stages: Readonly<
    Record<
      string,
      {
        readonly does: string;
        readonly to: readonly string[];
        readonly onFail?: string | undefined;
        readonly deadlineSeconds?: unknown;
      }
    >
  >;
}

/** All edges of the table, in its order. */
export function edgesOf(machine: MachineTable): readonly Edge[] {
  return Object.entries(machine.stages).flatMap(([from, spec]) => [
    ...spec.to.map((to): Edge => ({ from, to, by: to === 'End' ? 'finish' : 'advance' })),
    { from, to: spec.onFail ?? 'End', by: 'fail' } satisfies Edge,
  ]);
}

function planProblems(machine: MachineTable & { readonly stageStartTime?: unknown }): readonly string[] {
  const problems: string[] = [];
  const known = new Set([...Object.keys(machine.stages), 'End']);
  const edges = edgesOf(machine);
  for (const edge of edges) if (!known.has(edge.to)) problems.push(`${edge.from} leads to unknown stage ${edge.to}`);
  const reached = new Set([machine.initial]);
  for (const stage of reached) for (const edge of edges) if (edge.from === stage) reached.add(edge.to);
  for (const stage of Object.keys(machine.stages)) {
    if (!reached.has(stage)) problems.push(`stage ${stage} can't be reached`);
    const deadline = machine.stages[stage]?.deadlineSeconds;
    if (deadline !== undefined && machine.stageStartTime === undefined)
      problems.push(`${stage} has a deadline but the machine has no stageStartTime`);
  }
  return problems;
}
