/**
 * What would become of each object: the same collecting, rewriting, waves and messages as the run's, and on the destination
 * the same decisions, every write a dry run. Reads only.
 */
import type { Migration, MigrationResource, PlanAction, PlannedObject } from '../../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../../kube/client/client.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import type { Peer } from '../../../peer/peer.ts';
import { type Coming, comingFrom, nothingComing } from '../../../resources/apply/plan-untried.ts';
import { paths } from '../../messages.ts';
import { type PlannedObject as Answered, planObjectsAnswerSchema } from '../../plan-messages.ts';
import { keptHere, type ResourceResult, resultsOf } from '../resource-results.ts';
import { sendWaves } from '../send-waves.ts';
import { type SourceServices, sourceLimits } from '../source-services.ts';
import { purgeDeleted } from '../stages/purge-deleted.ts';

export interface ObjectsPlan {
  readonly planned: readonly PlannedObject[];
  /** What the run would say of them in status. */
  readonly results: readonly ResourceResult[];
  /** As they would be sent. */
  readonly objects: readonly AnyObject[];
}

export async function planObjects(
  services: SourceServices,
  context: StageContext<Migration>,
  to: { readonly peer: Peer; readonly admin: Peer; readonly namespaces: readonly string[] },
): Promise<ObjectsPlan> {
  const path = paths.planObjects(context.object.metadata.uid ?? '');
  const objects: AnyObject[] = [];
  const results: ResourceResult[] = [];
  let coming = nothingComing;
  const sent = await sendWaves(services, context, {
    ...to,
    async send(wave, { managed }, over) {
      const answer = await over.request({
        ...{ method: 'POST', path, body: { ...wave, coming }, answer: planObjectsAnswerSchema },
        signal: context.signal,
        deadlineMs: sourceLimits.longAnswerMs,
      });
      coming = afterWave(coming, wave.objects, answer.results);
      objects.push(...wave.objects);
      const told = resultsOf(answer, wave.objects, managed);
      results.push(...told);
      return answer.results.map((one, index) => toPlanned(one, told[index]));
    },
  });
  const kept = [...keptHere(sent.collected), ...sent.leftOut];
  const left = sent.collected.skipped.map(
    (one): PlannedObject => ({ ...one, namespace: one.namespace ?? '', action: 'Skip' }),
  );
  const arrived = [...kept, ...results];
  const purged = await purgeDeleted(context, { ...to, ...sent, resources: arrived, mode: 'Plan' });
  return {
    planned: [...kept.map(toStaying), ...sent.results, ...left, ...purged.resources.map(toPurged)],
    results: [...arrived, ...purged.resources],
    objects,
  };
}

function toPurged({ status, ...one }: MigrationResource): PlannedObject {
  return { ...one, action: status === 'Purged' ? 'Delete' : 'Fail' };
}

/** Pure. */
export function afterWave(before: Coming, objects: readonly AnyObject[], results: readonly Answered[]): Coming {
  const made = objects.filter((_, index) => results[index]?.result === 'Created').map(comingFrom);
  return {
    namespaces: [...before.namespaces, ...made.flatMap(({ namespaces }) => namespaces)],
    kinds: [...before.kinds, ...made.flatMap(({ kinds }) => kinds)],
    roles: [...before.roles, ...made.flatMap(({ roles }) => roles)],
  };
}

const actions: Readonly<Record<string, PlanAction>> = {
  Created: 'Create',
  Updated: 'Update',
  Unchanged: 'Unchanged',
  Skipped: 'Skip',
  Conflict: 'Conflict',
};

function toPlanned(
  { result, managedBy: _, ...object }: Answered,
  { reason, transformedBy }: Partial<ResourceResult> = {},
): PlannedObject {
  const action = actions[result] ?? 'Fail';
  return { ...object, namespace: object.namespace ?? '', action, reason: reason ?? '', transformedBy };
}

export function toStaying({ group, version, kind, namespace, name, reason, status }: ResourceResult): PlannedObject {
  return { group, version, kind, namespace, name, reason, action: status === 'Successful' ? 'Skip' : 'Fail' };
}
