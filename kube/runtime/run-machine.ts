/**
 * Runs a machine's stages over an API server: read the object, run its stage, check the edge, write status (nobody else
 * does), then tell: event, metric, and when to look again.
 *
 * Guarantees: one run at a time per key (the controller's queue), the object is read fresh, an outcome is only written on
 * the object it was decided on, and nothing is told before it is written. Assumes: effects are idempotent, for a run that
 * ended between effect and status write is repeated.
 *
 * Errors of a stage: retryable ones (StorkError.retryable, lost races, and what isn't a StorkError: network and bugs) are
 * shown as condition `Stalled` and retried with the key's backoff; any other StorkError is the stage's failure.
 */
import type { KubeClient } from '../client/client.ts';
import type { Clock } from '../clock.ts';
import { isConflict, renderError, StorkError } from '../errors.ts';
import type { Log } from '../log.ts';
import { decideNext, decideStalledStatus, decideStatus } from './decide-step.ts';
import { type EffectRecorder, type EffectScope, effectScope } from './effects.ts';
import type { EventRecorder } from './events.ts';
import { ensureFinalizer, removeFinalizer } from './finalizer.ts';
import { parseKey } from './key.ts';
import type { CleanupSpec, Edge, Machine, MachineObject, MachineStatus, StageContext, Step } from './machine.ts';
import { fail, type Outcome } from './outcome.ts';
import { awaitChange, type Reconcile, type ReconcileResult, requeueAfter, retry } from './reconcile.ts';
import { writeStatus } from './write-status.ts';

export interface MachineEnvironment {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly events?: Pick<EventRecorder, 'record'> | undefined;
  /** Told before and after each effect and each status write. */
  readonly effects?: EffectRecorder | undefined;
  /** Told of each edge crossed, after its status was written: metrics, and the test that every edge is crossed. */
  readonly onEdge?: ((machine: string, edge: Edge) => void) | undefined;
}

/** Seconds until the next look after somebody else changed the object under us. */
const voidRetrySeconds = 1;

export function runMachine<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus>(
  machine: Machine<T, Stage, Status>,
  environment: MachineEnvironment,
): Reconcile {
  const { client, log } = environment;
  return async (key, signal) => {
    const object = await client.find(machine.resource, parseKey(key), { signal });
    if (object === undefined) return awaitChange();
    const own = log.with({ machine: machine.name, key, uid: object.metadata.uid });
    const scope = effectScope({ recorder: environment.effects, log: own, signal });
    const run: Run<T, Stage, Status> = { machine, environment, object, signal, scope, log: own };
    try {
      return await reconcileObject(run);
    } catch (error) {
      run.scope.throwIfCrashed();
      if (signal.aborted) return awaitChange();
      if (error instanceof MachineBug) throw error.cause;
      return await stall(run, error);
    }
  };
}

/** What one reconcile carries along. */
interface Run<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus> {
  readonly machine: Machine<T, Stage, Status>;
  readonly environment: MachineEnvironment;
  readonly object: T;
  readonly signal: AbortSignal;
  readonly scope: EffectScope;
  readonly log: Log;
}

/** A table that contradicts its stages: thrown to the controller (and to tests) instead of being written on the object. */
class MachineBug extends Error {}

async function reconcileObject<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus>(
  run: Run<T, Stage, Status>,
): Promise<ReconcileResult> {
  const { machine, object } = run;
  const { cleanup } = machine;
  const ours = cleanup !== undefined && (object.metadata.finalizers ?? []).includes(cleanup.finalizer);
  if (object.metadata.deletionTimestamp !== undefined) return ours ? await cleanUp(run, cleanup) : awaitChange();
  const stage = machine.stageOf(object);
  if (stage === undefined) {
    if (ours) await changeFinalizer(run, cleanup.finalizer, 'remove');
    return awaitChange();
  }
  if (cleanup === undefined || ours) return await runStage(run, stage);
  const held = await changeFinalizer(run, cleanup.finalizer, 'ensure');
  return held === undefined ? awaitChange() : await runStage({ ...run, object: held }, stage);
}

async function runStage<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus>(
  run: Run<T, Stage, Status>,
  stage: Stage,
): Promise<ReconcileResult> {
  const { machine, environment, object } = run;
  const outcome = await judge(run, stage);
  run.scope.throwIfCrashed();
  if (run.signal.aborted) return awaitChange();
  const { step, status } = decideOrBug(() => {
    const next = decideNext<Stage, Status>(machine, stage, outcome);
    const decided: Step<T, Stage, Status> = { object, stage, next, outcome, now: environment.clock.now() };
    return { step: decided, status: decideStatus(machine, decided) };
  });
  const written = await run.scope.effect(`write status: ${stage} → ${step.next}`, () => write(run, status));
  if (written === 'Void') return requeueAfter(voidRetrySeconds);
  tell(run, step, status);
  if (outcome.do !== 'wait')
    return step.next === 'End' && machine.cleanup === undefined ? awaitChange() : requeueAfter(0);
  const left = secondsLeft(run, stage);
  return requeueAfter(left === undefined ? outcome.seconds : Math.max(0, Math.min(outcome.seconds, left)));
}

/** What the stage says, with its deadline and its final errors turned into failures. */
async function judge<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus>(
  run: Run<T, Stage, Status>,
  stage: Stage,
): Promise<Outcome<Stage, Status>> {
  const left = secondsLeft(run, stage);
  if (left !== undefined && left <= 0)
    return fail('StageDeadlineExceeded', `${stage || 'the first stage'} took longer than its deadline`);
  try {
    return await run.machine.stages[stage].run(contextOf(run));
  } catch (error) {
    if (run.signal.aborted || !isFinal(error)) throw error;
    run.log.warn('stage failed', { stage, error });
    return fail(error.code, renderError(error));
  }
}

async function cleanUp<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus>(
  run: Run<T, Stage, Status>,
  cleanup: CleanupSpec<T, Status>,
): Promise<ReconcileResult> {
  const result = await cleanup.run(contextOf(run));
  run.scope.throwIfCrashed();
  if (result !== 'Done') return requeueAfter(result.seconds);
  await changeFinalizer(run, cleanup.finalizer, 'remove');
  return awaitChange();
}

/** Keeps the error where a person looks for it, then lets the controller's backoff decide when to try again. */
async function stall<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus>(
  run: Run<T, Stage, Status>,
  error: unknown,
): Promise<ReconcileResult> {
  const reason = error instanceof StorkError ? error.code : 'UnexpectedError';
  const failure = { reason, message: renderError(error) };
  try {
    await write(run, decideStalledStatus<Status>(run.object, failure, run.environment.clock.now()));
  } catch (statusError) {
    run.log.warn('could not show on the object why it is stalled', { error: statusError });
  }
  return retry(error);
}

function tell<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus>(
  run: Run<T, Stage, Status>,
  { stage, next, outcome }: Step<T, Stage, Status>,
  status: Status,
): void {
  const { machine, environment, object } = run;
  if (outcome.do === 'wait') {
    run.log.debug('waits', { stage, reason: outcome.reason, message: outcome.message });
    return;
  }
  environment.onEdge?.(machine.name, { from: stage, to: next, by: outcome.do });
  const told = 'message' in outcome && outcome.message !== '' ? outcome.message : machine.story?.(object, status);
  run.log.info(outcome.do, {
    stage,
    next,
    ...('reason' in outcome ? { reason: outcome.reason } : {}),
    ...(told === undefined ? {} : { told }),
  });
  if (machine.tells?.(object) === 'No') return;
  const reason = outcome.do === 'advance' ? next || 'Initial' : outcome.reason;
  const message = outcome.do === 'advance' ? [`${stage || 'Initial'} is done`, told].filter(Boolean).join(': ') : told;
  environment.events?.record({
    regarding: object,
    type: outcome.do === 'fail' || endedBadly.has(reason) ? 'Warning' : 'Normal',
    reason,
    message: message ?? '',
  });
}

const endedBadly: ReadonlySet<string> = new Set(['Failed', 'PartialSuccess']);

function contextOf<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus>(
  run: Run<T, Stage, Status>,
): StageContext<T> {
  const { client, clock } = run.environment;
  return { object: run.object, client, clock, signal: run.signal, log: run.log, effect: run.scope.effect };
}

async function write<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus>(
  { machine, environment, object, signal }: Run<T, Stage, Status>,
  status: Status,
) {
  return await writeStatus({ client: environment.client, resource: machine.resource, object, status, signal });
}

async function changeFinalizer<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus>(
  { machine, environment, object, signal, scope }: Run<T, Stage, Status>,
  finalizer: string,
  change: 'ensure' | 'remove',
): Promise<T | undefined> {
  const request = { client: environment.client, resource: machine.resource, object, finalizer, signal };
  return await scope.effect(`${change} finalizer`, () =>
    change === 'ensure' ? ensureFinalizer(request) : removeFinalizer(request),
  );
}

/** Seconds until the stage's deadline; `undefined` when it has none. */
function secondsLeft<T extends MachineObject<Status>, Stage extends string, Status extends MachineStatus>(
  { machine, environment, object }: Run<T, Stage, Status>,
  stage: Stage,
): number | undefined {
  const { deadlineSeconds } = machine.stages[stage];
  const seconds = typeof deadlineSeconds === 'function' ? deadlineSeconds(object) : deadlineSeconds;
  const startTime = machine.stageStartTime?.(object);
  if (seconds === undefined || startTime === undefined) return undefined;
  return seconds - (environment.clock.now().getTime() - Date.parse(startTime)) / 1000;
}

function decideOrBug<Result>(decide: () => Result): Result {
  try {
    return decide();
  } catch (cause) {
    throw new MachineBug('machine and table disagree', { cause });
  }
}

/** Whether waiting can't help: somebody has to change something. */
function isFinal(error: unknown): error is StorkError {
  return error instanceof StorkError && !error.retryable && !isConflict(error);
}
