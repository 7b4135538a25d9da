/**
 * The end of stage Applications when `purgeDeletedResources` is set: the destination deletes what an earlier migration of
 * this pair brought and the source has no more. Only once everything that is here has arrived there.
 */
import type { Migration, MigrationResource } from '../../../../crds/v1alpha1/index.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import type { Peer } from '../../../peer/peer.ts';
import { type PurgeAnswer, paths, purgeAnswerSchema } from '../../messages.ts';
import { decidePurge } from '../plan-purge.ts';
import { type Collected, sourceLimits } from '../source-services.ts';

export interface Purged {
  readonly resources: readonly MigrationResource[];
  /** What was not purged and why, a sentence each. */
  readonly notes: readonly string[];
}

export async function purgeDeleted(
  context: StageContext<Migration>,
  of: {
    readonly peer: Peer;
    readonly collected: Collected;
    readonly since: string;
    readonly resources: readonly MigrationResource[];
    /** `Plan`: only told, nothing is deleted. */
    readonly mode?: 'Plan' | undefined;
  },
): Promise<Purged> {
  const { object: migration, signal } = context;
  const { spec, metadata } = migration;
  if (!spec.purgeDeletedResources) return { resources: [], notes: [] };
  const decision = decidePurge(of.collected, of.resources);
  if (decision.do === 'refuse') return { resources: [], notes: [decision.reason] };
  const resources = new Map<string, MigrationResource>();
  const notes = new Set<string>();
  for (const scopes of decision.messages) {
    const body = {
      migration: `${metadata.namespace}/${metadata.name}`,
      since: of.since,
      namespaces: of.collected.namespaces,
      selectors: spec.selectors,
      excludeSelectors: spec.excludeSelectors,
      scopes,
      dryRun: of.mode === 'Plan',
    };
    const path = paths.purge(metadata.uid ?? '');
    const deadlineMs = sourceLimits.longAnswerMs;
    const send = () => of.peer.request({ method: 'POST', path, body, answer: purgeAnswerSchema, signal, deadlineMs });
    let answer: PurgeAnswer;
    do {
      answer = of.mode === 'Plan' ? await send() : await context.effect('purge what is gone here', send);
      // A repeated request tells again of what could not be purged.
      for (const told of answer.results.map(toResource)) resources.set(JSON.stringify(nameOf(told)), told);
      for (const sentence of answer.notPurged) notes.add(`not purged: ${sentence}`);
    } while (of.mode !== 'Plan' && answer.more === 'Yes' && answer.results.some(({ result }) => result === 'Purged'));
  }
  return { resources: [...resources.values()], notes: [...notes] };
}

const nameOf = ({ group, kind, namespace, name }: MigrationResource) => [group, kind, namespace, name];

function toResource(result: PurgeAnswer['results'][number]): MigrationResource {
  const { group, version, kind, namespace, name, reason } = result;
  const status = result.result === 'Purged' ? 'Purged' : 'Failed';
  const told = status === 'Purged' ? (reason ?? '') : `it was not purged: ${reason ?? ''}`;
  return { group, version, kind, name, namespace: namespace ?? '', status, reason: told };
}
