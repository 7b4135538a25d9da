/**
 * A rule in execution, as it is kept in an operation's status: plain JSON from which everything can be continued,
 * proven or undone after a crash. It holds no command text (that is in the Rule) and no secret: output is redacted.
 */

/** As much of a `Rule` object as running it needs (Stork keeps `rules` at the top, there is no spec). */
export interface RuleSource {
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined };
  readonly rules?: readonly RuleItem[] | undefined;
}

export interface RuleItem {
  readonly podSelector?: Readonly<Record<string, string>> | undefined;
  /** The pod's first container when absent. */
  readonly container?: string | undefined;
  readonly actions?: readonly RuleAction[] | undefined;
}

export interface RuleAction {
  readonly type: string;
  readonly background?: boolean | undefined;
  readonly runInSinglePod?: boolean | undefined;
  readonly value: string;
  /** Foreground: until it must have ended. Background: how long it may hold (the dead-man timer). */
  readonly timeoutSeconds?: number | undefined;
  /** `Continue`: its failure is reported and doesn't fail the rule. */
  readonly onError?: 'Fail' | 'Continue' | undefined;
}

export type RulePosition = 'Pre' | 'Post';

export interface RuleRun {
  /** The Rule's name. */
  readonly rule: string;
  readonly position: RulePosition;
  /** From 1; a retry is a new run, whose commands share nothing with the last one's. */
  readonly attempt: number;
  /** SHA-256 (first 16 hex digits) of the rule as planned: a rule edited in mid-run is noticed. */
  readonly ruleDigest: string;
  /** In the order of execution. */
  readonly steps: readonly RuleStep[];
}

export interface RuleStep {
  /** `<item>-<action>`, both from 0. */
  readonly id: string;
  readonly kind: 'Foreground' | 'Background';
  readonly onError: 'Fail' | 'Continue';
  readonly targets: readonly RuleTarget[];
}

/**
 * - `Planned`: nothing was done, or (after a crash) a start may have happened that wasn't recorded.
 * - `Starting`: a background command runs and has not reached ${WAIT_CMD}.
 * - `Holding`: it has; it holds until released or until the deadline inside the pod.
 * - `Done`: a foreground command ended with 0, or a background one was released and ended with 0.
 * - `Failed`: see `reason`; nothing of ours holds anything there any more, as far as can be known.
 */
export type RuleTargetState = 'Planned' | 'Starting' | 'Holding' | 'Done' | 'Failed';

export interface RuleTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly podUid: string;
  readonly container: string;
  /** Names the background command's files inside the pod; absent for foreground. */
  readonly key?: string | undefined;
  readonly state: RuleTargetState;
  /** When the command inside the pod lets go by itself, by this agent's clock (RFC 3339). */
  readonly deadline?: string | undefined;
  /** When the hold was last seen alive from inside the pod, after everything it must cover (RFC 3339). */
  readonly provenTime?: string | undefined;
  /** From ${WAIT_CMD} reached to the command's end, measured inside the pod: for how long writers were blocked. */
  readonly heldMs?: number | undefined;
  readonly exitCode?: number | undefined;
  /** A CamelCase code, for Failed. */
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  /** Background: it was seen from inside that nothing holds there any more (also kept for Failed ones). */
  readonly released?: 'Yes' | undefined;
  /** The end of what the command wrote, redacted. */
  readonly output?: string | undefined;
}

/** Named bounds; every one of them shows up in a message when it is hit. */
export interface RuleLimits {
  /** Commands run at the same time. */
  readonly parallelCommands: number;
  /** Pods × actions of one rule. */
  readonly maxTargets: number;
  /** Runs of a failing pre rule, before the operation fails. */
  readonly maxAttempts: number;
  readonly firstRetrySeconds: number;
  readonly maxRetrySeconds: number;
  /** How long a foreground action without `timeoutSeconds` may take, and a background one until ${WAIT_CMD}. */
  readonly actionTimeoutSeconds: number;
  /** The dead-man timer: how long a background action without `timeoutSeconds` may hold, from ${WAIT_CMD} on. */
  readonly holdSeconds: number;
  /** How long one exec waits inside the pod for news before it answers. */
  readonly longPollSeconds: number;
  /** How long a released command has for ending before it is killed. */
  readonly releaseGraceSeconds: number;
  readonly outputTailBytes: number;
  /** Output kept of a whole run. */
  readonly outputTotalBytes: number;
}

export const ruleLimits: RuleLimits = {
  parallelCommands: 16,
  maxTargets: 200,
  maxAttempts: 5,
  firstRetrySeconds: 5,
  maxRetrySeconds: 60,
  actionTimeoutSeconds: 300,
  holdSeconds: 900,
  longPollSeconds: 10,
  releaseGraceSeconds: 10,
  outputTailBytes: 2048,
  outputTotalBytes: 32 * 1024,
};

/** What a background command's text has where it is to wait; Stork's. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is replaced inside the pod
export const waitCommandPlaceholder = '${WAIT_CMD}';
