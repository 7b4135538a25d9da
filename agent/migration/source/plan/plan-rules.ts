/** Which rules a migration would run, and in which pods; or why it would not. Runs nothing. */
import { type Migration, rules } from '../../../../crds/v1alpha1/index.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import type { RuleRun } from '../../../rule/rule-run.ts';
import type { Refusal } from '../decide-initial.ts';
import type { SourceServices } from '../source-services.ts';

export interface RulesPlan {
  readonly sentences: readonly string[];
  readonly refusals: readonly Refusal[];
}

const podsShown = 20;

export async function planRules(
  services: SourceServices,
  { object: migration, signal }: StageContext<Migration>,
  namespaces: readonly string[],
): Promise<RulesPlan> {
  const { preExecRule, postExecRule } = migration.spec;
  const namespace = migration.metadata.namespace ?? '';
  const operationUid = migration.metadata.uid ?? '';
  const sentences: string[] = [];
  const refusals: Refusal[] = [];
  for (const [position, name] of [['Pre', preExecRule] as const, ['Post', postExecRule] as const]) {
    if (name === undefined || name === '') continue;
    const rule = await services.client.find(rules, { namespace, name }, { signal });
    // Its absence is refused by name already.
    if (rule === undefined) continue;
    const plan = await services.rules.plan({ operationUid, namespaces, rule, position, attempt: 1 }, signal);
    if (plan.do === 'refuse') refusals.push(plan);
    else sentences.push(...describeRun(plan.run));
  }
  return { sentences, refusals };
}

function describeRun({ rule, position, steps }: RuleRun): readonly string[] {
  const when = position === 'Pre' ? 'before the volumes are cut' : 'as soon as the volumes are cut';
  return steps.map(({ kind, targets }) => {
    const how = kind === 'Background' ? 'held in the background until they are' : 'run to its end';
    const pods = targets.map((target) => `${target.namespace}/${target.pod} (${target.container})`);
    const more = pods.length > podsShown ? ` and ${pods.length - podsShown} more` : '';
    return `${rule}: ${when}, ${how}, in ${pods.slice(0, podsShown).join(', ')}${more}`;
  });
}
