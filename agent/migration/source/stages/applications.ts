/** Stage Applications: collects, transforms and sends what the namespaces hold; the destination's agent applies it. */
import type { Migration, MigrationResource, MigrationStatus } from '../../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../../kube/client/client.ts';
import { rfc3339 } from '../../../../kube/runtime/conditions.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import { advance, type Outcome, wait } from '../../../../kube/runtime/outcome.ts';
import type { Peer } from '../../../peer/peer.ts';
import { activateAnswerSchema, maxWaveObjects, paths, type WaveAnswer, waveAnswerSchema } from '../../messages.ts';
import type { MigrationStageName } from '../migration-machine.ts';
import type { SourceServices } from '../source-services.ts';
import { summarize } from '../summarize.ts';
import { namespacesOf } from './pre-exec-rule.ts';
import { whyNot } from './volumes.ts';

type Result = Outcome<MigrationStageName, MigrationStatus>;

/** Bytes of objects in one message; the link's cap is 4 MiB. */
const maxWaveBytes = 3 * 1024 * 1024;

export async function runApplications(services: SourceServices, context: StageContext<Migration>): Promise<Result> {
  const { object: migration, signal } = context;
  const peer = await services.peers.find(migration.metadata.namespace ?? '', migration.spec.clusterPair, signal);
  const unreachable = whyNot(peer, migration);
  if (peer === undefined || unreachable !== undefined) return wait(5, 'ClusterPairNotReady', unreachable);
  const resources = [...volumeResources(migration)];
  if (migration.spec.includeResources) resources.push(...(await sendAll(services, context, peer)));
  const started = migration.spec.startApplications ? await start(migration, peer, context) : [];
  return advance('Final', {
    resources,
    ...summarize({ volumes: migration.status?.volumes ?? [], resources }),
    resourceMigrationFinishTimestamp: rfc3339(services.clock.now()),
    activeSide: describeActiveSide(services, migration, peer),
    ending: decideEnding(migration, resources, started),
  });
}

async function sendAll(
  services: SourceServices,
  context: StageContext<Migration>,
  peer: Peer,
): Promise<readonly MigrationResource[]> {
  const { object: migration, signal } = context;
  const namespaces = namespacesOf(migration);
  const { waves } = await services.collect(migration, { namespaces, pairId: peer.pairId }, signal);
  const results: MigrationResource[] = [];
  const name = `${migration.metadata.namespace}/${migration.metadata.name}`;
  for (const wave of waves) {
    for (const objects of inMessages(wave)) {
      const body = { migration: name, time: rfc3339(services.clock.now()), objects };
      const path = paths.wave(migration.metadata.uid ?? '');
      const send = () => peer.request({ method: 'PUT', path, body, answer: waveAnswerSchema, signal });
      const answer = await context.effect(`apply ${objects.length} objects`, send);
      results.push(...answer.results.map(toResource));
    }
  }
  return results;
}

/** Splits a wave so that each message stays under the link's caps. Pure. */
export function inMessages(wave: readonly AnyObject[]): readonly (readonly AnyObject[])[] {
  const messages: AnyObject[][] = [];
  let bytes = 0;
  for (const object of wave) {
    const size = Buffer.byteLength(JSON.stringify(object));
    const last = messages.at(-1);
    if (last !== undefined && last.length < maxWaveObjects && bytes + size <= maxWaveBytes) {
      last.push(object);
      bytes += size;
      continue;
    }
    messages.push([object]);
    bytes = size;
  }
  return messages;
}

const wellEnded = new Set(['Created', 'Updated', 'Unchanged']);

function toResource(result: WaveAnswer['results'][number]): MigrationResource {
  const { group, version, kind, namespace, name, reason } = result;
  return {
    group,
    version,
    kind,
    name,
    namespace: namespace ?? '',
    status: wellEnded.has(result.result) ? 'Successful' : 'Failed',
    reason: reason ?? '',
  };
}

/** Claims and their volumes count as resources, as in Stork: the volume flow has made them on the destination. */
function volumeResources(migration: Migration): readonly MigrationResource[] {
  return (migration.status?.volumes ?? []).map((volume) => ({
    group: '',
    version: 'v1',
    kind: 'PersistentVolumeClaim',
    namespace: volume.namespace ?? '',
    name: volume.persistentVolumeClaim ?? '',
    status: volume.status ?? '',
    reason: volume.reason ?? '',
  }));
}

async function start(migration: Migration, peer: Peer, context: StageContext<Migration>): Promise<readonly string[]> {
  const body = {
    migration: `${migration.metadata.namespace}/${migration.metadata.name}`,
    namespaces: namespacesOf(migration),
  };
  const path = paths.activate(migration.metadata.uid ?? '');
  const call = () => peer.request({ method: 'POST', path, body, answer: activateAnswerSchema, signal: context.signal });
  return (await context.effect('start applications', call)).failures;
}

function decideEnding(
  migration: Migration,
  resources: readonly MigrationResource[],
  notStarted: readonly string[],
): NonNullable<MigrationStatus['ending']> {
  const failed = resources.filter(({ status }) => status !== 'Successful');
  const volumes = (migration.status?.volumes ?? []).filter(({ status }) => status !== 'Successful');
  if (failed.length === 0 && volumes.length === 0 && notStarted.length === 0)
    return { status: 'Successful', reason: '' };
  const first = failed
    .slice(0, 3)
    .map(({ kind, namespace, name, reason }) => `${kind} ${namespace}/${name}: ${reason}`);
  const reasons = [...first, ...notStarted.slice(0, 3)];
  return {
    status: 'PartialSuccess',
    reason: `${failed.length} of ${resources.length} resources did not migrate: ${reasons.join('; ')}`,
  };
}

/** In words, because nobody should have to work it out at night. */
function describeActiveSide(services: SourceServices, migration: Migration, peer: Peer): string {
  if (!migration.spec.includeResources)
    return `${services.cluster} (source) is active; ${peer.cluster} received volumes only`;
  if (migration.spec.startApplications)
    return `both sides run: ${services.cluster} (source) was left running and ${peer.cluster} (destination) was started`;
  return `${services.cluster} (source) is active; ${peer.cluster} (destination) holds a copy that is not started`;
}
