/**
 * Which commands a rule runs in which pods, in order; or why it can't. Pure.
 *
 * Order is the order of the text: items, then their actions. A foreground action after a background one therefore runs
 * inside the hold. Targets are Running pods that match `podSelector`; pods being deleted are none.
 */
import { createHash } from 'node:crypto';
import {
  type RuleAction,
  type RuleItem,
  type RuleLimits,
  type RulePosition,
  type RuleRun,
  type RuleSource,
  type RuleStep,
  type RuleTarget,
  waitCommandPlaceholder,
} from './rule-run.ts';

/** What planning needs of a pod. */
export interface RulePod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly containers: readonly string[];
  readonly state: 'Running' | 'NotRunning';
}

export interface PlanRuleRequest {
  /** Makes the commands' names inside pods unique; the Migration's uid. */
  readonly operationUid: string;
  readonly rule: RuleSource;
  readonly position: RulePosition;
  readonly attempt: number;
  readonly namespaces: readonly string[];
  readonly pods: readonly RulePod[];
  readonly limits: RuleLimits;
}

export interface RuleRefusal {
  readonly do: 'refuse';
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export type RulePlan = { readonly do: 'run'; readonly run: RuleRun } | RuleRefusal;

export function planRule(request: PlanRuleRequest): RulePlan {
  const { rule, position, attempt } = request;
  const steps: RuleStep[] = [];
  for (const [itemIndex, item] of (rule.rules ?? []).entries()) {
    const pods = podsOf(request, item);
    for (const [actionIndex, action] of (item.actions ?? []).entries()) {
      const id = `${itemIndex}-${actionIndex}`;
      const refusal = refuseAction(request, action, id) ?? refusePods(request, item, pods, id);
      if (refusal !== undefined) return refusal;
      const chosen = action.runInSinglePod === true ? pods.filter(isFirstOfNamespace) : pods;
      const targets = chosen.map((pod) => targetOf(request, { pod, item, action, id }));
      const kind = action.background === true ? 'Background' : 'Foreground';
      steps.push({ id, kind, onError: action.onError ?? 'Fail', targets });
    }
  }
  const count = steps.reduce((sum, step) => sum + step.targets.length, 0);
  if (count > request.limits.maxTargets) {
    const message = `Rule ${nameOf(rule)} would run ${count} commands; at most ${request.limits.maxTargets} are run for one rule`;
    return refuse('RuleTooLarge', message, 'Narrow podSelector, or set runInSinglePod.');
  }
  return { do: 'run', run: { rule: rule.metadata.name, position, attempt, ruleDigest: digestRule(rule), steps } };
}

/** The digest that a run carries of the rule it was planned from. */
export function digestRule(rule: RuleSource): string {
  return createHash('sha256')
    .update(JSON.stringify(rule.rules ?? []))
    .digest('hex')
    .slice(0, 16);
}

/** The action a step was planned from; `undefined` when the rule has no such action any more. */
export function findAction(rule: RuleSource, stepId: string): RuleAction | undefined {
  const [item, action] = stepId.split('-').map(Number);
  if (item === undefined || action === undefined) return undefined;
  return rule.rules?.[item]?.actions?.[action];
}

function podsOf(request: PlanRuleRequest, item: RuleItem): readonly RulePod[] {
  const wanted = Object.entries(item.podSelector ?? {});
  return request.pods
    .filter((pod) => pod.state === 'Running' && request.namespaces.includes(pod.namespace))
    .filter((pod) => wanted.every(([name, value]) => pod.labels[name] === value))
    .toSorted((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name));
}

function refuseAction(request: PlanRuleRequest, action: RuleAction, id: string): RuleRefusal | undefined {
  const at = `Rule ${nameOf(request.rule)}, ${placeOf(id)}`;
  if (action.type !== 'command') {
    return refuse('RuleInvalid', `${at} has type "${action.type}"; only "command" exists`, 'Set type: command.');
  }
  if (action.value.trim() === '') {
    return refuse('RuleInvalid', `${at} has no command`, 'Set value to what the container is to run.');
  }
  if (action.background !== true) return undefined;
  if (request.position === 'Post') {
    const hint = 'Use it as preExecRule, or remove background: true.';
    return refuse('BackgroundInPostRule', `${at} is a background command, and the rule is a post rule`, hint);
  }
  if (!action.value.includes(waitCommandPlaceholder)) {
    const message = `${at} is a background command without ${waitCommandPlaceholder}`;
    return refuse('WaitCommandMissing', message, `Put ${waitCommandPlaceholder} where the command is to wait.`);
  }
  return undefined;
}

function refusePods(
  request: PlanRuleRequest,
  item: RuleItem,
  pods: readonly RulePod[],
  id: string,
): RuleRefusal | undefined {
  const at = `Rule ${nameOf(request.rule)}, ${placeOf(id)}`;
  if (pods.length === 0) {
    const message = `${at}: no running pod in ${request.namespaces.join(', ')} matches ${selectorText(item)}`;
    return refuse('NoPodMatchesRule', message, 'Correct podSelector, or start the application.');
  }
  const lacking = pods.find((pod) => containerOf(pod, item) === undefined);
  if (lacking !== undefined) {
    const message = `${at}: pod ${lacking.namespace}/${lacking.name} has no container "${item.container}"`;
    return refuse('ContainerNotFound', message, `It has ${lacking.containers.join(', ')}.`);
  }
  return undefined;
}

function targetOf(
  request: PlanRuleRequest,
  at: { readonly pod: RulePod; readonly item: RuleItem; readonly action: RuleAction; readonly id: string },
): RuleTarget {
  const { pod } = at;
  const container = containerOf(pod, at.item) ?? '';
  const target = { namespace: pod.namespace, pod: pod.name, podUid: pod.uid, container, state: 'Planned' } as const;
  if (at.action.background !== true) return target;
  return { ...target, key: `${request.operationUid}-${at.id}-${request.attempt}-${container}` };
}

/** Pods are sorted by namespace: as in Stork, one pod means one in each namespace. */
const isFirstOfNamespace = (pod: RulePod, index: number, pods: readonly RulePod[]): boolean =>
  pods[index - 1]?.namespace !== pod.namespace;

const containerOf = (pod: RulePod, item: RuleItem): string | undefined =>
  item.container === undefined || item.container === ''
    ? pod.containers[0]
    : pod.containers.find((name) => name === item.container);

const nameOf = (rule: RuleSource): string =>
  rule.metadata.namespace === undefined ? rule.metadata.name : `${rule.metadata.namespace}/${rule.metadata.name}`;

const placeOf = (id: string): string => {
  const [item, action] = id.split('-');
  return `rules[${item}].actions[${action}]`;
};

const selectorText = (item: RuleItem): string => {
  const pairs = Object.entries(item.podSelector ?? {}).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? 'an empty podSelector' : pairs.join(',');
};

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

const refuse = (code: string, message: string, hint: string): RuleRefusal => ({ do: 'refuse', code, message, hint });
