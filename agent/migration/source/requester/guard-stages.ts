/**
 * Asks again, in each stage that acts, whether the requester may still do what the migration does: at its start and then
 * once a minute. Not while a rule holds the application: letting it go comes first, and waits for nobody's answer.
 */
import type { Migration, MigrationStatus } from '../../../../crds/v1alpha1/index.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import type { Outcome } from '../../../../kube/runtime/outcome.ts';
import { mayHold } from '../../../rule/decide-rule.ts';
import { namespacesOf } from '../find-namespaces.ts';
import type { SourceServices } from '../source-services.ts';
import { checkRequester } from './check-requester.ts';

const askAgainMs = 60_000;
const maxRemembered = 1000;

export interface StageGuard {
  /** @throws StorkError as checkRequester, which fails the stage */
  check(stage: string, context: StageContext<Migration>): Promise<void>;
}

export function createStageGuard(services: SourceServices): StageGuard {
  /** Until when a stage of a migration need not be asked again. */
  const asked = new Map<string, number>();
  return {
    async check(stage, { object: migration, signal }) {
      const pre = migration.status?.rule?.pre;
      if (pre !== undefined && mayHold(pre)) return;
      const key = `${migration.metadata.uid} ${migration.metadata.generation} ${stage}`;
      const nowMs = services.clock.monotonicMs();
      if ((asked.get(key) ?? Number.NEGATIVE_INFINITY) > nowMs) return;
      const namespaces = await namespacesOf(services, migration, signal);
      await checkRequester(services, migration, namespaces, signal);
      asked.delete(key);
      const [oldest] = asked.keys();
      if (asked.size >= maxRemembered && oldest !== undefined) asked.delete(oldest);
      asked.set(key, nowMs + askAgainMs);
    },
  };
}

/** The stage, run only for a requester who may. */
export function guarded<Stage extends string>(
  guard: StageGuard,
  stage: string,
  run: (context: StageContext<Migration>) => Promise<Outcome<Stage, MigrationStatus>>,
): (context: StageContext<Migration>) => Promise<Outcome<Stage, MigrationStatus>> {
  return async (context) => {
    await guard.check(stage, context);
    return await run(context);
  };
}
