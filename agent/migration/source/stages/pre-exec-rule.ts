/** Stage PreExecRule: runs the pre rule until its foreground commands are done and its background ones hold. */
import { type Migration, type MigrationStatus, rules } from '../../../../crds/v1alpha1/index.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import { advance, fail, type Outcome, wait } from '../../../../kube/runtime/outcome.ts';
import { decideRule, decideRuleRetry, mayHold } from '../../../rule/decide-rule.ts';
import { type RuleRun, ruleLimits } from '../../../rule/rule-run.ts';
import { namespacesOf } from '../find-namespaces.ts';
import type { MigrationStageName } from '../migration-machine.ts';
import type { SourceServices } from '../source-services.ts';

type Result = Outcome<MigrationStageName, MigrationStatus>;

export async function runPreExecRule(services: SourceServices, context: StageContext<Migration>): Promise<Result> {
  const { object: migration, signal } = context;
  const name = migration.spec.preExecRule ?? '';
  if (name === '') return advance('Volumes');
  const namespace = migration.metadata.namespace ?? '';
  const rule = await services.client.find(rules, { namespace, name }, { signal });
  if (rule === undefined) return fail('RuleNotFound', `Rule ${name} was deleted from namespace ${namespace}`);
  const run = migration.status?.rule?.pre;
  const start = async (attempt: number, seconds: number, message: string): Promise<Result> => {
    const operationUid = migration.metadata.uid ?? '';
    const namespaces = await namespacesOf(services, migration, signal);
    const plan = await services.rules.plan({ operationUid, namespaces, rule, position: 'Pre', attempt }, signal);
    if (plan.do === 'refuse') return fail(plan.code, plan.message);
    return wait(seconds, 'PreExecRule', message, rulePatch(migration, { pre: plan.run }));
  };
  if (run === undefined) return await start(1, 0, `starting rule ${name}`);
  const verdict = decideRule(run);
  switch (verdict.phase) {
    case 'Holding':
    case 'Done':
      return advance('Volumes');
    case 'Run': {
      const next = await context.effect('advance pre rule', () => services.rules.advance(run, rule, signal));
      return wait(0, 'PreExecRule', `running rule ${name}`, rulePatch(migration, { pre: next }));
    }
    case 'Failed': {
      const released = await context.effect('release failed pre rule', () => services.rules.release(run, signal));
      if (mayHold(released))
        return wait(1, 'Releasing', 'undoing the failed rule', rulePatch(migration, { pre: released }));
      const retry = decideRuleRetry(released, ruleLimits);
      if (retry.do === 'fail') return fail('PreExecRuleFailed', retry.message, rulePatch(migration, { pre: released }));
      return await start(retry.attempt, retry.afterSeconds, verdict.message);
    }
    default:
      return verdict satisfies never;
  }
}

export function rulePatch(
  migration: Migration,
  change: {
    readonly pre?: RuleRun;
    readonly post?: RuleRun;
    readonly releasedTimestamp?: string;
    readonly blockedMilliseconds?: number;
  },
): Pick<MigrationStatus, 'rule'> {
  return { rule: { ...migration.status?.rule, ...change } };
}
