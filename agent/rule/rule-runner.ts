/**
 * Runs rules in pods. Holds no state: what it knows is the {@link RuleRun} it is given and what the pods tell, so any
 * call may be repeated, by this agent or by the one after it. Promises:
 * - `plan` writes nothing. Persist its run before the first `advance`: then whatever happens, `release` finds it all.
 * - A background command is started once per run and target; a foreground command at least once (it is repeated when the
 *   agent died while it ran).
 * - Nothing throws for what goes wrong in a pod: that is in the record. Thrown are the caller's abort and refused lists.
 */
import type { KubeClient } from '../../kube/client/client.ts';
import { core, type Pod } from '../../kube/client/core.ts';
import type { Clock } from '../../kube/clock.ts';
import { mapLimit } from '../../kube/runtime/map-limit.ts';
import { allTargets, nextStep } from './decide-rule.ts';
import {
  afterForeground,
  afterProof,
  afterRelease,
  afterStart,
  type HoldSight,
  type TargetFacts,
} from './decide-target.ts';
import { readHoldReport } from './hold-report.ts';
import { clearScript, observeScript, releaseScript, startScript } from './hold-script.ts';
import { digestRule, findAction, planRule, type RulePlan, type RulePod } from './plan-rule.ts';
import {
  type RuleLimits,
  type RulePosition,
  type RuleRun,
  type RuleSource,
  type RuleTarget,
  ruleLimits,
} from './rule-run.ts';
import { runCommand } from './run-command.ts';

export interface RuleRequest {
  /** The Migration's uid. */
  readonly operationUid: string;
  readonly namespaces: readonly string[];
  readonly rule: RuleSource;
  readonly position: RulePosition;
  /** From 1. */
  readonly attempt: number;
}

export interface RuleRunner {
  plan(request: RuleRequest, signal?: AbortSignal): Promise<RulePlan>;
  /**
   * Takes the next step: runs a foreground action to its end in all its pods, or starts a background one (or finds it) and
   * waits up to `longPollSeconds` for it to hold. Returns the record to persist.
   */
  advance(run: RuleRun, rule: RuleSource, signal?: AbortSignal): Promise<RuleRun>;
  /** Once every cut is known and before `release`: proves that each background command held until now. */
  prove(run: RuleRun, signal?: AbortSignal): Promise<RuleRun>;
  /**
   * Lets every background command go and collects how it ended. Also what a restarted agent, an abort and a deletion do.
   * Call again while `mayHold(run)`: a pod that can't be reached now is tried again until its own deadline has passed.
   */
  release(run: RuleRun, signal?: AbortSignal): Promise<RuleRun>;
  /** Removes our marker files from the pods, once the released record is persisted. Best effort: they hold nothing. */
  clear(run: RuleRun, signal?: AbortSignal): Promise<void>;
}

export interface RuleRunnerParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly limits?: RuleLimits | undefined;
}

export function createRuleRunner(parts: RuleRunnerParts): RuleRunner {
  const { client, clock } = parts;
  const limits = parts.limits ?? ruleLimits;

  const factsFor = (run: RuleRun): TargetFacts => {
    const share = Math.floor(limits.outputTotalBytes / Math.max(1, allTargets(run).length));
    return { now: clock.now(), limits, outputBytes: Math.min(limits.outputTailBytes, share) };
  };

  /** Runs a hold script; `insideSeconds` is how long the script itself may wait in the pod. */
  const look = async (
    target: RuleTarget,
    script: { readonly command: readonly string[]; readonly insideSeconds: number },
    signal?: AbortSignal,
  ): Promise<HoldSight> => {
    const timeoutSeconds = script.insideSeconds + execOverheadSeconds;
    const outcome = await runCommand({ client, clock, target, command: script.command, timeoutSeconds, signal });
    if (outcome.kind !== 'Ended') return outcome;
    const report = readHoldReport(outcome.result.stdout);
    const { exitCode, stderr } = outcome.result;
    return (
      report ?? { kind: 'NotReached', message: `the shell ended with exit code ${exitCode}: ${stderr.slice(0, 300)}` }
    );
  };

  const changeHeld = (
    run: RuleRun,
    isMeant: (target: RuleTarget) => boolean,
    change: (target: RuleTarget, key: string, signal: AbortSignal) => Promise<RuleTarget>,
    signal?: AbortSignal,
  ): Promise<RuleRun> =>
    changeTargets(
      run,
      async (target, inner) =>
        target.key === undefined || !isMeant(target) ? target : change(target, target.key, inner),
      { limit: limits.parallelCommands, signal },
    );

  return {
    async plan(request, signal) {
      const pods: RulePod[] = [];
      for (const namespace of request.namespaces) {
        for await (const pod of client.list(core.pods, { namespace, signal })) pods.push(projectPod(pod));
      }
      return planRule({ ...request, pods, limits });
    },

    async advance(run, rule, signal) {
      const step = nextStep(run);
      if (step === undefined) return run;
      const action = findAction(rule, step.id);
      if (action === undefined || digestRule(rule) !== run.ruleDigest) return failStep(run, step.id, ruleChanged);
      const facts = factsFor(run);
      const holdSeconds = action.timeoutSeconds ?? limits.holdSeconds;
      const take = async (target: RuleTarget, inner: AbortSignal): Promise<RuleTarget> => {
        if (target.state !== 'Planned' && target.state !== 'Starting') return target;
        if (target.key === undefined) {
          const command = ['sh', '-c', action.value];
          const timeoutSeconds = action.timeoutSeconds ?? limits.actionTimeoutSeconds;
          const outcome = await runCommand({ client, clock, target, command, timeoutSeconds, signal: inner });
          return afterForeground(target, outcome, facts);
        }
        const pollSeconds = limits.longPollSeconds;
        const command = startScript({
          key: target.key,
          command: action.value,
          holdSeconds,
          startSeconds: limits.actionTimeoutSeconds,
          graceSeconds: limits.releaseGraceSeconds,
          pollSeconds,
          tailBytes: facts.outputBytes,
        });
        const seen = await look(target, { command, insideSeconds: pollSeconds }, inner);
        return afterStart(target, seen, { ...facts, now: clock.now(), holdSeconds });
      };
      return changeTargets(run, take, { limit: limits.parallelCommands, signal, stepId: step.id });
    },

    prove(run, signal) {
      const facts = factsFor(run);
      const prove = async (target: RuleTarget, key: string, inner: AbortSignal): Promise<RuleTarget> => {
        const script = { command: observeScript(key, facts.outputBytes), insideSeconds: 0 };
        const first = await look(target, script, inner);
        const seen = isUnreached(first) ? await look(target, script, inner) : first;
        return afterProof(target, seen, { ...facts, now: clock.now() });
      };
      return changeHeld(run, (target) => target.state === 'Holding' && target.provenTime === undefined, prove, signal);
    },

    release(run, signal) {
      const facts = factsFor(run);
      const release = async (target: RuleTarget, key: string, inner: AbortSignal): Promise<RuleTarget> => {
        const command = releaseScript(key, limits.releaseGraceSeconds, facts.outputBytes);
        const seen = await look(target, { command, insideSeconds: limits.releaseGraceSeconds }, inner);
        return afterRelease(target, seen, { ...facts, now: clock.now() });
      };
      return changeHeld(run, (target) => target.released !== 'Yes', release, signal);
    },

    async clear(run, signal) {
      const clear = async (target: RuleTarget, key: string, inner: AbortSignal): Promise<RuleTarget> => {
        const command = clearScript(key);
        await runCommand({ client, clock, target, command, timeoutSeconds: execOverheadSeconds, signal: inner });
        return target;
      };
      await changeHeld(run, (target) => target.released === 'Yes', clear, signal);
    },
  };
}

/** What an exec may take beyond what its script waits for. */
const execOverheadSeconds = 20;

const ruleChanged = { reason: 'RuleChanged', message: 'the Rule was changed while it ran' };

const isUnreached = (seen: HoldSight): boolean => 'kind' in seen && seen.kind !== 'PodGone';

async function changeTargets(
  run: RuleRun,
  change: (target: RuleTarget, signal: AbortSignal) => Promise<RuleTarget>,
  options: { readonly limit: number; readonly signal?: AbortSignal | undefined; readonly stepId?: string | undefined },
): Promise<RuleRun> {
  const { limit, signal, stepId } = options;
  const meant = run.steps.filter((step) => stepId === undefined || step.id === stepId).flatMap((step) => step.targets);
  const changed = new Map<RuleTarget, RuleTarget>();
  await mapLimit(meant, limit, async (target, inner) => changed.set(target, await change(target, inner)), signal);
  const steps = run.steps.map((step) => ({
    ...step,
    targets: step.targets.map((target) => changed.get(target) ?? target),
  }));
  return { ...run, steps };
}

function failStep(run: RuleRun, id: string, why: { readonly reason: string; readonly message: string }): RuleRun {
  const fail = (target: RuleTarget): RuleTarget =>
    target.state === 'Done' || target.state === 'Holding' ? target : { ...target, ...why, state: 'Failed' };
  const steps = run.steps.map((step) => (step.id === id ? { ...step, targets: step.targets.map(fail) } : step));
  return { ...run, steps };
}

function projectPod(pod: Pod): RulePod {
  const { metadata } = pod;
  const isRunning = pod.status?.phase === 'Running' && metadata.deletionTimestamp === undefined;
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid ?? '',
    labels: metadata.labels ?? {},
    containers: pod.spec?.containers.map((container) => container.name) ?? [],
    state: isRunning ? 'Running' : 'NotRunning',
  };
}
