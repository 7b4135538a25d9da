/**
 * Whether a migration may begin, from what was gathered and what the destination answered. Everything that can be refused
 * is refused here, before any effect, and each refusal names the object and what to do.
 */
import type { Migration } from '../../../crds/v1alpha1/index.ts';
import type { ClaimAnswer, PlanAnswer } from '../messages.ts';
import { decideLeaving } from './decide-leaving.ts';

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

export interface RequestFacts {
  readonly migrationNamespace: string;
  readonly agentNamespace: string;
  readonly namespaces: readonly { readonly name: string; readonly exists: 'Yes' | 'No' }[];
  readonly missingNamespaces: 'Skip' | 'Refuse';
  readonly grant: { readonly namespaces: readonly string[]; readonly directions: readonly string[] };
  readonly pair: string;
  readonly rules: readonly {
    readonly field: string;
    readonly name: string;
    readonly exists: 'Yes' | 'No';
    /** Whether one of its commands is held in the background. */
    readonly holds: 'Yes' | 'No';
  }[];
  /** Claims whose storage can't snapshot. */
  readonly liveClaims: readonly string[];
  /** Whether what writes them is to be stopped. */
  readonly quiesce: 'Yes' | 'No';
}

export type RequestDecision =
  | { readonly do: 'go'; readonly namespaces: readonly string[] }
  | { readonly do: 'refuse'; readonly refusals: readonly Refusal[] };

export function decideRequest(facts: RequestFacts): RequestDecision {
  const refusals = [...decideNamespaces(facts), ...decideRules(facts)];
  if (refusals.length > 0) return { do: 'refuse', refusals };
  return { do: 'go', namespaces: facts.namespaces.filter(({ exists }) => exists === 'Yes').map(({ name }) => name) };
}

/** What can't be meant together. */
export function decideSpec(
  spec: Pick<Migration['spec'], 'includeResources' | 'purgeDeletedResources'>,
): readonly Refusal[] {
  if (spec.includeResources || !spec.purgeDeletedResources) return [];
  return [
    {
      code: 'NothingToPurge',
      message: 'spec.purgeDeletedResources needs spec.includeResources: without it nobody looks at what the source has',
      hint: 'Remove the field, or include resources; nothing was changed.',
    },
  ];
}

function decideNamespaces(facts: RequestFacts): readonly Refusal[] {
  const refusals: Refusal[] = [];
  const missing = facts.namespaces.filter(({ exists }) => exists === 'No').map(({ name }) => name);
  const noneLeft = missing.length === facts.namespaces.length;
  if (facts.namespaces.length === 0)
    refusals.push({
      code: 'NamespaceNotFound',
      message: 'No namespace has a label that spec.namespaceSelectors names',
      hint: 'Check the labels: kubectl get namespaces --show-labels.',
    });
  if (missing.length > 0 && (facts.missingNamespaces === 'Refuse' || noneLeft))
    refusals.push({
      code: 'NamespaceNotFound',
      message: `Namespace ${missing.join(', ')} does not exist`,
      hint: 'Check the spelling: kubectl get namespaces.',
    });
  const inAdminNamespace = facts.migrationNamespace === facts.agentNamespace;
  const foreign = facts.namespaces.filter(({ name }) => name !== facts.migrationNamespace).map(({ name }) => name);
  if (!inAdminNamespace && foreign.length > 0)
    refusals.push({
      code: 'NamespaceNotAllowed',
      message: `A Migration in namespace ${facts.migrationNamespace} can only migrate that namespace, not ${foreign.join(', ')}`,
      hint: `Create it in ${facts.agentNamespace} to migrate several namespaces.`,
    });
  const { pair, grant } = facts;
  return [...refusals, ...decideLeaving({ pair, grant, namespaces: facts.namespaces.map(({ name }) => name) })];
}

function decideRules(facts: RequestFacts): readonly Refusal[] {
  const refusals: Refusal[] = facts.rules
    .filter(({ exists }) => exists === 'No')
    .map(({ field, name }) => ({
      code: 'RuleNotFound',
      message: `Rule ${name} (${field}) does not exist in namespace ${facts.migrationNamespace}`,
      hint: `Create it: kubectl -n ${facts.migrationNamespace} get rules lists those there are.`,
    }));
  const holding = facts.rules.filter(({ holds }) => holds === 'Yes').map(({ field }) => field);
  if (holding.includes('spec.postExecRule'))
    refusals.push({
      code: 'BackgroundInPostRule',
      message:
        'The Rule of spec.postExecRule has a background command, and the rule is a post rule: nothing would end it',
      hint: 'Use it as spec.preExecRule, or remove background: true.',
    });
  if (holding.includes('spec.preExecRule') && facts.liveClaims.length > 0)
    refusals.push({
      code: 'HoldNeedsSnapshots',
      message: `The pre rule holds the application until its volumes are cut, but the storage of ${facts.liveClaims.join(', ')} can't snapshot`,
      hint: 'Migrate without the rule and with --quiesce (spec.quiesce), which stops what writes the claims while they are copied.',
    });
  const isPostRule = facts.rules.some(({ field }) => field === 'spec.postExecRule');
  if (facts.quiesce === 'Yes' && isPostRule && facts.liveClaims.length > 0)
    refusals.push({
      code: 'PostRuleNeedsPods',
      message: `The post rule would run while what writes ${facts.liveClaims.join(', ')} is stopped (spec.quiesce)`,
      hint: 'Leave the rule out: what it would undo was undone by the stop.',
    });
  return refusals;
}

/** Jobs are never stopped: what they did would be done again. */
export const decideJobs = (jobs: readonly string[]): readonly Refusal[] =>
  jobs.map((pod) => ({
    code: 'QuiesceImpossible',
    message: `${pod} belongs to a job that runs, and a job is not stopped`,
    hint: 'Migrate again when it has ended, or suspend it.',
  }));

/** A claim for one pod alone can't be mounted by a mover beside that pod. */
export function decideExclusive(
  exclusive: readonly { readonly namespace: string; readonly name: string }[],
  pods: readonly { readonly pod: string; readonly claims: readonly string[] }[],
): readonly Refusal[] {
  return exclusive.flatMap(({ namespace, name }) => {
    const user = pods.find(({ claims }) => claims.includes(`${namespace}/${name}`));
    if (user === undefined) return [];
    return {
      code: 'ReadWriteOncePodInUse',
      message: `persistentvolumeclaim ${namespace}/${name} can't be snapshotted, and its one pod (ReadWriteOncePod) is ${user.pod}`,
      hint: 'Migrate with --quiesce (spec.quiesce), which stops it while the claim is copied, or scale it down yourself.',
    };
  });
}

/** What the destination's answer means: refusals of claims, of the whole, and of what an older agent there can't do. */
export function decidePlan(
  answer: PlanAnswer,
  needed: readonly { readonly field: string; readonly feature: string }[] = [],
): readonly Refusal[] {
  const claims = answer.claims.filter((claim) => claim.decision === 'refuse').map(claimRefusal);
  const unable = needed
    .filter(({ feature }) => !(answer.features ?? []).includes(feature))
    .map(({ field }) => ({
      code: 'PeerTooOld',
      message: `The destination's agent does not know ${field}`,
      hint: 'Update stork-agent there, or leave the field out.',
    }));
  return [...answer.problems, ...unable, ...claims];
}

const claimRefusal = (claim: ClaimAnswer): Refusal => ({
  code: claim.code ?? 'ClaimRefused',
  message: claim.message ?? `persistentvolumeclaim ${claim.namespace}/${claim.name} was refused`,
  hint: claim.hint,
});

/** One message for status: every refusal, the first one's code as the reason. */
export function summarizeRefusals(refusals: readonly Refusal[]): { readonly reason: string; readonly message: string } {
  const shown = refusals.slice(0, 10);
  const lines = shown.map((refusal) =>
    [refusal.message, refusal.hint].filter(Boolean).join('. ').replace(/\.\. /g, '. '),
  );
  const more = refusals.length > shown.length ? ` (and ${refusals.length - shown.length} more)` : '';
  return { reason: refusals[0]?.code ?? 'Refused', message: `${lines.join('; ')}${more}` };
}
