/**
 * What to do next with a rule in execution, from its record alone. Pure.
 */
import type { RuleLimits, RuleRun, RuleStep, RuleTarget } from './rule-run.ts';

export type RuleVerdict =
  /** Call `advance`. */
  | { readonly phase: 'Run'; readonly step: string }
  /** Every command is done or holds; the cut may be made. `until`: when the first lets go by itself (RFC 3339). */
  | { readonly phase: 'Holding'; readonly until: string | undefined }
  /** Nothing holds any more and nothing failed. */
  | { readonly phase: 'Done' }
  /** Call `release`, then {@link decideRuleRetry} (pre) or fail the operation. */
  | { readonly phase: 'Failed'; readonly code: string; readonly message: string };

export function decideRule(run: RuleRun): RuleVerdict {
  for (const step of run.steps) {
    if (step.onError === 'Continue') continue;
    const failed = step.targets.find((target) => target.state === 'Failed');
    if (failed !== undefined) {
      const message = `Rule ${run.rule}: ${failureText(failed)}`;
      return { phase: 'Failed', code: failed.reason ?? 'RuleFailed', message };
    }
  }
  const next = nextStep(run);
  if (next !== undefined) return { phase: 'Run', step: next.id };
  const holding = allTargets(run).filter((target) => target.state === 'Holding');
  if (holding.length === 0) return { phase: 'Done' };
  const deadlines = holding.map((target) => target.deadline).filter((deadline) => deadline !== undefined);
  return { phase: 'Holding', until: deadlines.toSorted()[0] };
}

export type RuleRetry =
  | { readonly do: 'retry'; readonly attempt: number; readonly afterSeconds: number }
  | { readonly do: 'fail'; readonly message: string };

/** Whether a failed pre rule is run again (R2: it is, with growing pauses, up to a named limit). */
export function decideRuleRetry(run: RuleRun, limits: RuleLimits): RuleRetry {
  const verdict = decideRule(run);
  const message = verdict.phase === 'Failed' ? verdict.message : `Rule ${run.rule} did not fail`;
  if (run.attempt >= limits.maxAttempts) return { do: 'fail', message: `${message} (tried ${run.attempt} times)` };
  const afterSeconds = Math.min(limits.maxRetrySeconds, limits.firstRetrySeconds * 2 ** (run.attempt - 1));
  return { do: 'retry', attempt: run.attempt + 1, afterSeconds };
}

/** The step `advance` works on: the first that is not finished and not holding. */
export function nextStep(run: RuleRun): RuleStep | undefined {
  return run.steps.find((step) =>
    step.targets.some((target) => target.state === 'Planned' || target.state === 'Starting'),
  );
}

/** Whether anything of this run may still hold or run in a pod: then `release` it (again). */
export function mayHold(run: RuleRun): boolean {
  return run.steps.some(
    (step) => step.kind === 'Background' && step.targets.some((target) => target.released !== 'Yes'),
  );
}

export type Consistency =
  | { readonly consistent: 'Yes' }
  /** `Fail`: the operation fails with it. `Continue`: the rule says to go on, and the point is flagged with it. */
  | {
      readonly consistent: 'No';
      readonly onError: 'Fail' | 'Continue';
      readonly code: 'NotConsistent';
      readonly message: string;
    };

/**
 * Whether the cut is what the rule promised: every background command was seen holding after it, and ended well when it
 * was released. Ask after `prove`, and again after `release`.
 */
export function decideConsistency(run: RuleRun): Consistency {
  for (const onError of ['Fail', 'Continue'] as const) {
    const steps = run.steps.filter((step) => step.kind === 'Background' && step.onError === onError);
    const doubtful = steps
      .flatMap((step) => step.targets)
      .find((target) => target.provenTime === undefined || target.state === 'Failed');
    if (doubtful === undefined) continue;
    const why = doubtful.state === 'Failed' ? failureText(doubtful) : `nothing proved the hold in ${placeOf(doubtful)}`;
    return { consistent: 'No', onError, code: 'NotConsistent', message: `Rule ${run.rule}: ${why}` };
  }
  return { consistent: 'Yes' };
}

/** For how long writers were blocked, as one sentence and as a number; `undefined` when nothing was held. */
export function summarizeHold(run: RuleRun): { readonly heldMs: number; readonly text: string } | undefined {
  const held = allTargets(run)
    .filter((target) => target.heldMs !== undefined)
    .toSorted((a, b) => (b.heldMs ?? 0) - (a.heldMs ?? 0));
  const [longest] = held;
  if (longest?.heldMs === undefined) return undefined;
  const others = held.length > 1 ? `, the longest of ${held.length} pods` : '';
  return {
    heldMs: longest.heldMs,
    text: `Writers were blocked for ${longest.heldMs} ms (${longest.namespace}/${longest.pod}${others})`,
  };
}

export const allTargets = (run: RuleRun): readonly RuleTarget[] => run.steps.flatMap((step) => step.targets);

function failureText(target: RuleTarget): string {
  const output = target.output === undefined || target.output === '' ? '' : `: ${lastLine(target.output)}`;
  return `${target.message ?? 'a command failed'} in ${placeOf(target)}${output}`;
}

const placeOf = (target: RuleTarget): string => `${target.namespace}/${target.pod} (container ${target.container})`;

const lastLine = (text: string): string => text.slice(text.lastIndexOf('\n') + 1).slice(0, 200);
