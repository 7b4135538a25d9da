/** Stage Applications: collects, transforms and sends what the namespaces hold; the destination's agent applies it. */
import type { Migration, MigrationStatus } from '../../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../../kube/client/client.ts';
import { rfc3339, setCondition } from '../../../../kube/runtime/conditions.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import { advance, fail, type Outcome, wait } from '../../../../kube/runtime/outcome.ts';
import type { Peer } from '../../../peer/peer.ts';
import { isBuiltInGroup, refOf } from '../../../resources/resource-ref.ts';
import { readSwitches } from '../../../resources/switches.ts';
import { activateAnswerSchema, maxActivateObjects, paths, waveAnswerSchema } from '../../messages.ts';
import { activeSideAfter } from '../active-side.ts';
import { countSkipped } from '../count-skipped.ts';
import { mustLetLeave } from '../decide-leaving.ts';
import { namespacesOf } from '../find-namespaces.ts';
import { findPeers } from '../find-peers.ts';
import { findUnmoved } from '../gather-volumes.ts';
import type { MigrationStageName } from '../migration-machine.ts';
import {
  decideGitOpsCondition,
  decideUnreadCondition,
  describeUnread,
  keptHere,
  listResults,
  type ResourceResult,
  resultsOf,
  unmovedResults,
  volumeResults,
} from '../resource-results.ts';
import { sendWaves } from '../send-waves.ts';
import { type Collected, type SourceServices, sourceLimits } from '../source-services.ts';
import { summarize } from '../summarize.ts';
import { purgeDeleted } from './purge-deleted.ts';
import { decidePair } from './volumes.ts';

type Result = Outcome<MigrationStageName, MigrationStatus>;

const deadlineMs = sourceLimits.longAnswerMs;

export async function runApplications(services: SourceServices, context: StageContext<Migration>): Promise<Result> {
  const { object: migration, signal } = context;
  const found = await services.peers.find(migration.metadata.namespace ?? '', migration.spec.clusterPair, signal);
  const pair = decidePair(found, migration.spec.clusterPair);
  if ('hindrance' in pair) return pair.hindrance;
  const peers = await findPeers(services, migration, signal);
  if (peers.found === 'No')
    return peers.next === 'Wait' ? wait(5, peers.code, peers.message) : fail(peers.code, peers.message);
  const { peer } = peers;
  const namespaces = await namespacesOf(services, migration, signal);
  mustLetLeave({ pair: peer.pair, grant: peer.grant, namespaces });
  const volumes = migration.status?.volumes ?? [];
  const moved = new Set(volumes.map(({ uid }) => uid));
  const results = [...volumeResults(volumes), ...(await unmovedClaims(services, context, { namespaces, moved }))];
  const notes: string[] = [];
  const notStarted: string[] = [];
  let skipped: MigrationStatus['skipped'];
  if (migration.spec.includeResources) {
    const sent = await sendAll(services, context, { ...peers, namespaces });
    results.push(...sent.results);
    skipped = countSkipped(sent.collected.skipped);
    const purged = await purgeDeleted(context, {
      peer,
      collected: sent.collected,
      since: sent.since,
      resources: results,
    });
    results.push(...purged.resources);
    notes.push(...purged.notes);
    if (migration.spec.startApplications) notStarted.push(...(await start(context, { peer, objects: sent.objects })));
  }
  const listed = listResults(results);
  const now = services.clock.now();
  return advance('Final', {
    ...listed,
    skipped,
    ...withNotices(migration, results, now),
    ...summarize({
      volumes,
      resources: listed.resources ?? [],
      omitted: listed.omittedResources,
    }),
    resourceMigrationFinishTimestamp: rfc3339(now),
    activeSide: activeSideAfter({ source: services.cluster, destination: peer.cluster, spec: migration.spec }),
    ending: decideEnding(results, notStarted, notes),
  });
}

/** Conditions that warn of what a person should know, whatever the status. */
function withNotices(
  { metadata, status }: Migration,
  results: readonly ResourceResult[],
  now: Date,
): Pick<MigrationStatus, 'conditions'> {
  const stamp = { now, generation: metadata.generation };
  const notices = [decideGitOpsCondition(results), decideUnreadCondition(results)].filter((one) => one !== undefined);
  const before = status?.conditions ?? [];
  return { conditions: notices.reduce((all, notice) => setCondition(all, notice, stamp), before) };
}

interface Sent {
  readonly results: readonly ResourceResult[];
  readonly collected: Collected;
  readonly objects: readonly AnyObject[];
  /** When the source began to look. */
  readonly since: string;
}

async function sendAll(
  services: SourceServices,
  context: StageContext<Migration>,
  to: { readonly peer: Peer; readonly admin: Peer; readonly namespaces: readonly string[] },
): Promise<Sent> {
  const { object: migration, signal } = context;
  const path = paths.wave(migration.metadata.uid ?? '');
  const { collected, leftOut, results, sent, since } = await sendWaves(services, context, {
    ...to,
    async send(body, { managed }, over) {
      const send = () => over.request({ method: 'PUT', path, body, answer: waveAnswerSchema, signal, deadlineMs });
      const answer = await context.effect(`apply ${body.objects.length} objects`, send);
      return resultsOf(answer, body.objects, managed);
    },
  });
  return { results: [...keptHere(collected), ...leftOut, ...results], collected, objects: sent, since };
}

/** Claims that are there now and did not travel: without a volume yet, or made after the migration began. */
export async function unmovedClaims(
  services: SourceServices,
  { object: migration, signal }: StageContext<Migration>,
  of: { readonly namespaces: readonly string[]; readonly moved: ReadonlySet<string | undefined> },
): Promise<readonly ResourceResult[]> {
  if (!migration.spec.includeVolumes) return [];
  return unmovedResults(await findUnmoved(services, migration.spec, of, signal));
}

/** Starts what this migration brought; what an earlier one left at rest in the namespaces stays so. */
async function start(
  context: StageContext<Migration>,
  to: { readonly peer: Peer; readonly objects: readonly AnyObject[] },
): Promise<readonly string[]> {
  const { object: migration, signal } = context;
  const name = `${migration.metadata.namespace}/${migration.metadata.name}`;
  const path = paths.activate(migration.metadata.uid ?? '');
  const startable = startableOf(to.objects);
  const failures: string[] = [];
  for (let from = 0; from < startable.length; from += maxActivateObjects) {
    const objects = startable.slice(from, from + maxActivateObjects);
    const namespaces = [...new Set(objects.map(({ namespace }) => namespace))];
    const body = { migration: name, namespaces, objects };
    const call = () =>
      to.peer.request({ method: 'POST', path, body, answer: activateAnswerSchema, signal, deadlineMs });
    failures.push(...(await context.effect('start applications', call)).failures);
  }
  return failures;
}

/** What has a switch, and custom resources: an older stash of one is settled, though it may have no switch. Pure. */
function startableOf(objects: readonly AnyObject[]) {
  return objects.flatMap((object) => {
    const { group, kind, namespace, name } = refOf(object);
    if (namespace === undefined) return [];
    return readSwitches(object).length > 0 || !isBuiltInGroup(group) ? [{ group, kind, namespace, name }] : [];
  });
}

/** Pure. */
export function decideEnding(
  resources: readonly ResourceResult[],
  notStarted: readonly string[],
  notes: readonly string[] = [],
): NonNullable<MigrationStatus['ending']> {
  const known = resources.filter(({ unreadKind }) => unreadKind === undefined);
  const failed = known.filter(({ status }) => status !== 'Successful' && status !== 'Purged');
  const shown = failed
    .slice(0, 3)
    .map(({ kind, namespace, name, reason }) => `${kind} ${[namespace, name].filter(Boolean).join('/')}: ${reason}`);
  const sentences = [
    ...(failed.length === 0
      ? []
      : [`${failed.length} of ${known.length} resources did not migrate completely: ${shown.join('; ')}`]),
    ...[describeUnread(resources)].filter((sentence) => sentence !== undefined),
    ...(notStarted.length === 0 ? [] : [`not everything was started: ${notStarted.slice(0, 3).join('; ')}`]),
    ...notes,
  ];
  if (sentences.length === 0) return { status: 'Successful', reason: '' };
  return { status: 'PartialSuccess', reason: sentences.join('. ') };
}
