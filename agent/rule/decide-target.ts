/**
 * What a target's record becomes by what was seen in its pod. Pure: one function for each thing we do to a target.
 */
import type { HoldReport } from './hold-report.ts';
import { redactTail } from './redact.ts';
import type { RuleLimits, RuleTarget } from './rule-run.ts';
import type { CommandOutcome } from './run-command.ts';

/** What happened when a hold script was run: its report, or why there is none. */
export type HoldSight = HoldReport | Exclude<CommandOutcome, { readonly kind: 'Ended' }>;

export interface TargetFacts {
  readonly now: Date;
  readonly limits: RuleLimits;
  /** Bytes of output kept for this target. */
  readonly outputBytes: number;
}

export function afterForeground(target: RuleTarget, outcome: CommandOutcome, facts: TargetFacts): RuleTarget {
  if (outcome.kind !== 'Ended') return failed(target, missed(outcome));
  const { exitCode, stdout, stderr } = outcome.result;
  const output = redactTail(stderr === '' ? stdout : `${stdout}\n${stderr}`, facts.outputBytes);
  const ended = { ...target, exitCode, output };
  if (exitCode === 0) return { ...ended, state: 'Done' };
  return failed(ended, { reason: 'CommandFailed', message: `the command ended with exit code ${exitCode}` });
}

export function afterStart(
  target: RuleTarget,
  seen: HoldSight,
  facts: TargetFacts & { readonly holdSeconds: number },
): RuleTarget {
  if ('kind' in seen) return failed(target, missed(seen));
  const known = withOutput(target, seen, facts);
  switch (seen.phase) {
    case 'Starting':
      return { ...known, state: 'Starting' };
    case 'Holding': {
      const deadline = target.deadline ?? new Date(facts.now.getTime() + facts.holdSeconds * 1000).toISOString();
      return { ...known, state: 'Holding', deadline };
    }
    case 'NoPlace':
      return failed({ ...known, released: 'Yes' }, noPlace);
    case 'Ended':
      return failed({ ...known, released: 'Yes' }, endedEarly(seen));
    case 'Absent':
    case 'Ending':
    case 'Lost':
      return failed(known, { reason: 'HoldLost', message: 'the background command is gone' });
    default:
      return seen satisfies never;
  }
}

/** After the cut: only a command that is seen holding now has held all the time. */
export function afterProof(target: RuleTarget, seen: HoldSight, facts: TargetFacts): RuleTarget {
  if ('kind' in seen) {
    const why = missed(seen).message;
    return failed(target, { reason: 'NotConsistent', message: `the hold could not be proven after the cut: ${why}` });
  }
  if (seen.phase === 'Holding') return { ...withOutput(target, seen, facts), provenTime: facts.now.toISOString() };
  const expired = (seen.phase === 'Ended' || seen.phase === 'Ending') && seen.expired === 'Yes';
  const message = expired
    ? `the background command's own deadline had ended the hold before the cut was known (see timeoutSeconds)`
    : 'the background command was no longer holding when the cut was known';
  return failed(withOutput(target, seen, facts), { reason: 'NotConsistent', message });
}

/** After a release. A target that stays unreleased is released again, until its deadline has surely passed. */
export function afterRelease(target: RuleTarget, seen: HoldSight, facts: TargetFacts): RuleTarget {
  if ('kind' in seen) {
    if (seen.kind === 'PodGone') return overWithoutWord(target, 'its pod is gone');
    return isLongOver(target, facts) ? overWithoutWord(target, missed(seen).message) : target;
  }
  const known = withOutput(target, seen, facts);
  switch (seen.phase) {
    case 'Absent':
    case 'NoPlace':
      return overWithoutWord(known, 'nothing of it was found in the pod');
    case 'Lost':
      return overWithoutWord(known, 'it had ended without a word');
    case 'Starting':
    case 'Holding':
    case 'Ending':
      return isLongOver(target, facts) ? overWithoutWord(known, 'it did not end') : known;
    case 'Ended':
      return afterEnd({ ...known, released: 'Yes' }, seen);
    default:
      return seen satisfies never;
  }
}

function afterEnd(target: RuleTarget, seen: Extract<HoldReport, { readonly phase: 'Ended' }>): RuleTarget {
  if (target.state === 'Failed') return target;
  if (seen.exitCode === 0) return { ...target, state: 'Done' };
  if (target.state !== 'Holding') return failed(target, endedEarly(seen));
  const message = `the background command ended with exit code ${seen.exitCode} after its release, so its hold is in doubt`;
  return failed(target, { reason: 'NotConsistent', message });
}

/** Nothing holds there; whether that is a failure depends on what was proven before. */
function overWithoutWord(target: RuleTarget, why: string): RuleTarget {
  const over: RuleTarget = { ...target, released: 'Yes' };
  if (target.state === 'Failed' || target.state === 'Planned') return over;
  if (target.provenTime !== undefined) return { ...over, state: 'Done', message: `released: ${why}` };
  return failed(over, { reason: 'HoldLost', message: `the background command held nothing any more: ${why}` });
}

/** By our own clock, with room for clocks and kills: the deadline inside the pod, or the watchdog, has acted. */
function isLongOver(target: RuleTarget, facts: TargetFacts): boolean {
  const { releaseGraceSeconds } = facts.limits;
  if (target.deadline === undefined) return false;
  const marginMs = (releaseGraceSeconds + 60) * 1000;
  return facts.now.getTime() > Date.parse(target.deadline) + marginMs;
}

function withOutput(target: RuleTarget, seen: HoldReport, facts: TargetFacts): RuleTarget {
  if (!('output' in seen)) return target;
  const output = redactTail(seen.output, facts.outputBytes);
  const known: RuleTarget = output === '' ? target : { ...target, output };
  if (seen.phase !== 'Ended') return known;
  const measured = seen.heldMs === undefined ? {} : { heldMs: seen.heldMs };
  return { ...known, exitCode: seen.exitCode, ...measured };
}

const noPlace = {
  reason: 'NoWritablePlace',
  message:
    'no directory can be written to (tried /tmp, /dev/shm, /var/tmp, /run, TMPDIR, HOME); mount an emptyDir at /tmp',
};

const endedEarly = (seen: Extract<HoldReport, { readonly phase: 'Ended' }>) =>
  seen.held === 'Yes'
    ? { reason: 'HoldLost', message: `the background command ended by itself (exit code ${seen.exitCode})` }
    : {
        reason: 'CommandFailed',
        message: `the background command ended with exit code ${seen.exitCode} before it reached \${WAIT_CMD}`,
      };

function missed(outcome: Exclude<CommandOutcome, { readonly kind: 'Ended' }>): {
  readonly reason: string;
  readonly message: string;
} {
  switch (outcome.kind) {
    case 'PodGone':
      return { reason: 'PodGone', message: 'the pod is gone' };
    case 'TimedOut':
      return { reason: 'CommandTimedOut', message: `the command did not end within ${outcome.seconds} s` };
    case 'NotReached':
      return { reason: 'ExecFailed', message: `the command could not be run: ${outcome.message}` };
    default:
      return outcome satisfies never;
  }
}

const failed = (target: RuleTarget, why: { readonly reason: string; readonly message: string }): RuleTarget => ({
  ...target,
  ...why,
  state: 'Failed',
});
