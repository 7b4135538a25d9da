/** Stage Applications: collects, transforms and sends what the namespaces hold; the destination's agent applies it. */
import type { Migration, MigrationResource, MigrationStatus } from '../../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../../kube/client/client.ts';
import { rfc3339 } from '../../../../kube/runtime/conditions.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import { advance, type Outcome, wait } from '../../../../kube/runtime/outcome.ts';
import type { Peer } from '../../../peer/peer.ts';
import { storkNames } from '../../../resources/names.ts';
import { type ResourceRef, refOf } from '../../../resources/resource-ref.ts';
import { activateAnswerSchema, maxWaveObjects, paths, type WaveAnswer, waveAnswerSchema } from '../../messages.ts';
import { activeSideAfter } from '../active-side.ts';
import { namespacesOf } from '../find-namespaces.ts';
import { findUnmoved } from '../gather-volumes.ts';
import type { MigrationStageName } from '../migration-machine.ts';
import { type SourceServices, sourceLimits } from '../source-services.ts';
import { summarize } from '../summarize.ts';
import { whyNot } from './volumes.ts';

type Result = Outcome<MigrationStageName, MigrationStatus>;

const deadlineMs = sourceLimits.longAnswerMs;

/** Bytes of objects in one message; the link's cap is 4 MiB. */
const maxWaveBytes = 3 * 1024 * 1024;

export async function runApplications(services: SourceServices, context: StageContext<Migration>): Promise<Result> {
  const { object: migration, signal } = context;
  const peer = await services.peers.find(migration.metadata.namespace ?? '', migration.spec.clusterPair, signal);
  const unreachable = whyNot(peer, migration);
  if (peer === undefined || unreachable !== undefined) return wait(5, 'ClusterPairNotReady', unreachable);
  const namespaces = await namespacesOf(services, migration, signal);
  const resources = [...volumeResources(migration), ...(await unmovedClaims(services, context, namespaces))];
  if (migration.spec.includeResources) resources.push(...(await sendAll(services, context, { peer, namespaces })));
  const notStarted = migration.spec.startApplications ? await start(context, { peer, namespaces }) : [];
  return advance('Final', {
    resources,
    ...summarize({ volumes: migration.status?.volumes ?? [], resources }),
    resourceMigrationFinishTimestamp: rfc3339(services.clock.now()),
    activeSide: activeSideAfter({ source: services.cluster, destination: peer.cluster, spec: migration.spec }),
    ending: decideEnding(resources, notStarted),
  });
}

async function sendAll(
  services: SourceServices,
  context: StageContext<Migration>,
  to: { readonly peer: Peer; readonly namespaces: readonly string[] },
): Promise<readonly MigrationResource[]> {
  const { object: migration, signal } = context;
  const { peer, namespaces } = to;
  const { waves, unreadable, misfits } = await services.collect(migration, { namespaces, pairId: peer.pairId }, signal);
  const results: MigrationResource[] = unreadable.map(({ group, version, kind, reason }) => ({
    ...{ group, version, kind, namespace: '', name: '*' },
    status: 'Failed',
    reason: `it could not be read on the source: ${reason}`,
  }));
  results.push(...misfits.map(({ ref, reason }) => failedHere(ref, reason)));
  const name = `${migration.metadata.namespace}/${migration.metadata.name}`;
  for (const wave of waves) {
    for (const objects of inMessages(wave)) {
      const body = { migration: name, time: rfc3339(services.clock.now()), objects };
      const path = paths.wave(migration.metadata.uid ?? '');
      const send = () => peer.request({ method: 'PUT', path, body, answer: waveAnswerSchema, signal, deadlineMs });
      const answer = await context.effect(`apply ${objects.length} objects`, send);
      const transformed = transformationsOf(objects);
      results.push(...answer.results.map((result) => toResource(result, transformed)));
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

/** `Skipped`: left out by design, as its reason says. Nothing was lost. */
const wellEnded = new Set(['Created', 'Updated', 'Unchanged', 'Skipped']);

function toResource(
  result: WaveAnswer['results'][number],
  transformed: ReadonlyMap<string, string>,
): MigrationResource {
  const { group, version, kind, namespace, name, reason } = result;
  const transformedBy = transformed.get(keyOf({ group, kind, namespace, name }));
  return {
    group,
    version,
    kind,
    name,
    namespace: namespace ?? '',
    status: wellEnded.has(result.result) ? 'Successful' : 'Failed',
    reason: reason ?? '',
    ...(transformedBy === undefined ? {} : { transformedBy }),
  };
}

function failedHere(ref: ResourceRef, reason: string): MigrationResource {
  const { group, version, kind, namespace = '', name } = ref;
  return { group, version, kind, namespace, name, status: 'Failed', reason };
}

const keyOf = ({ group, kind, namespace, name }: Omit<ResourceRef, 'version'>) =>
  `${group}/${kind} ${namespace ?? ''}/${name}`;

/** By the object's key, the ResourceTransformation that changed it. */
function transformationsOf(objects: readonly AnyObject[]): ReadonlyMap<string, string> {
  return new Map(
    objects.flatMap((object) => {
      const name = object.metadata.annotations?.[storkNames.transformation];
      return name === undefined ? [] : [[keyOf(refOf(object)), name] as const];
    }),
  );
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

/** Claims that are there now and did not travel: without a volume yet, or made after the migration began. */
async function unmovedClaims(
  services: SourceServices,
  { object: migration, signal }: StageContext<Migration>,
  namespaces: readonly string[],
): Promise<readonly MigrationResource[]> {
  if (!migration.spec.includeVolumes) return [];
  const moved = new Set((migration.status?.volumes ?? []).map(({ uid }) => uid));
  const found = await findUnmoved(services, migration.spec, { namespaces, moved }, signal);
  return found.map(({ namespace, name, reason }) => ({
    ...{ group: '', version: 'v1', kind: 'PersistentVolumeClaim', namespace, name },
    status: 'Failed',
    reason,
  }));
}

async function start(
  context: StageContext<Migration>,
  to: { readonly peer: Peer; readonly namespaces: readonly string[] },
): Promise<readonly string[]> {
  const { object: migration, signal } = context;
  const body = { migration: `${migration.metadata.namespace}/${migration.metadata.name}`, namespaces: to.namespaces };
  const path = paths.activate(migration.metadata.uid ?? '');
  const call = () => to.peer.request({ method: 'POST', path, body, answer: activateAnswerSchema, signal, deadlineMs });
  return (await context.effect('start applications', call)).failures;
}

/** Pure. */
export function decideEnding(
  resources: readonly MigrationResource[],
  notStarted: readonly string[],
): NonNullable<MigrationStatus['ending']> {
  const failed = resources.filter(({ status }) => status !== 'Successful');
  const shown = failed
    .slice(0, 3)
    .map(({ kind, namespace, name, reason }) => `${kind} ${[namespace, name].filter(Boolean).join('/')}: ${reason}`);
  const sentences = [
    ...(failed.length === 0
      ? []
      : [`${failed.length} of ${resources.length} resources did not migrate completely: ${shown.join('; ')}`]),
    ...(notStarted.length === 0 ? [] : [`not everything was started: ${notStarted.slice(0, 3).join('; ')}`]),
  ];
  if (sentences.length === 0) return { status: 'Successful', reason: '' };
  return { status: 'PartialSuccess', reason: sentences.join('. ') };
}
