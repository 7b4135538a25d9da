/** Stage Volumes: cut all at one point, let the application go, then move each group and prove it arrived. */
import type { Migration, MigrationStatus, MigrationVolume } from '../../../../crds/v1alpha1/index.ts';
import { rfc3339 } from '../../../../kube/runtime/conditions.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import { mapLimit } from '../../../../kube/runtime/map-limit.ts';
import { advance, fail, type Outcome, wait } from '../../../../kube/runtime/outcome.ts';
import type { Peer } from '../../../peer/peer.ts';
import { mustLetLeave } from '../decide-leaving.ts';
import { measureProgress, underWay } from '../measure-progress.ts';
import type { MigrationStageName } from '../migration-machine.ts';
import { type SourceServices, sourceLimits } from '../source-services.ts';
import { summarize } from '../summarize.ts';
import { cutVolumes, nameOf } from './cut-volumes.ts';
import { type Group, type GroupResult, groupsOf, moveGroup } from './move-group.ts';
import { findBreach, quiesce, resumeWorkloads } from './quiesce.ts';

type Result = Outcome<MigrationStageName, MigrationStatus>;

export async function runVolumes(services: SourceServices, context: StageContext<Migration>): Promise<Result> {
  const { object: migration, signal } = context;
  const open = openGroups(migration);
  const atRest = open.length === 0 ? undefined : await bringBackOrQuiesce(services, context, open);
  if (atRest !== undefined) return atRest;
  const cutting = await cutVolumes(services, context);
  if (cutting !== undefined) return cutting;
  if (open.length === 0) return await leave(services, context);
  const found = await services.peers.find(migration.metadata.namespace ?? '', migration.spec.clusterPair, signal);
  const pair = decidePair(found, migration.spec.clusterPair);
  if ('hindrance' in pair) return pair.hindrance;
  const { peer } = pair;
  // Whoever narrowed the grant meanwhile wants it to hold from now on.
  mustLetLeave({ pair: peer.pair, grant: peer.grant, namespaces: open.map(({ namespace }) => namespace) });
  const underWay = open.slice(0, sourceLimits.groups);
  const results = await mapLimit(
    underWay,
    sourceLimits.groups,
    (group) => moveGroup(services, context, peer, group),
    signal,
  );
  const failed = results.find((result) => result.state === 'Failed');
  const volumes = mergeVolumes(
    migration.status?.volumes ?? [],
    underWay.flatMap(({ volumes: before }, index) => after(before, results[index])),
  );
  const groups = results.flatMap((result) => (result.state === 'Working' ? (result.progress ?? []) : []));
  const progress = measureProgress({ volumes, groups, before: migration.status?.progress });
  const patch = { volumes, progress, ...summarize({ volumes, resources: migration.status?.resources ?? [] }) };
  if (failed?.state === 'Failed') return fail(failed.code, failed.message, patch);
  const allDone = results.every(({ state }) => state === 'Complete');
  const left = open.filter((_, index) => results[index]?.state !== 'Complete');
  // Looked at before it is in status that they are copied: from then on what was stopped comes back.
  const breach = left.some(isAtRestFor(migration)) ? undefined : await findBreach(services, context);
  if (breach !== undefined) return breach;
  const messages = results.map((result) => (result.state === 'Working' ? result.message : ''));
  const message = messages.find(Boolean) ?? 'volumes have arrived';
  return wait(allDone ? 0 : sourceLimits.pollSeconds, 'CopyingVolumes', message, patch);
}

/** Those whose writers are stopped go first. */
function openGroups(migration: Migration): readonly Group[] {
  const isAtRest = isAtRestFor(migration);
  return groupsOf(migration)
    .filter(({ volumes }) => volumes.some(({ status }) => status === 'Pending' || status === 'InProgress'))
    .toSorted((one, other) => Number(isAtRest(other)) - Number(isAtRest(one)));
}

const isAtRestFor = ({ status }: Migration): ((group: Group) => boolean) => {
  const claims = new Set(status?.quiesce?.claims);
  return ({ volumes }) => volumes.some((volume) => claims.has(nameOf(volume)));
};

/** What was stopped comes back when what it writes is copied, whatever is still to be copied from snapshots. */
async function bringBackOrQuiesce(
  services: SourceServices,
  context: StageContext<Migration>,
  open: readonly Group[],
): Promise<Result | undefined> {
  const { status } = context.object;
  const isStopped = status?.quiesce?.stoppedTimestamp !== undefined && status.quiesce.resumedTimestamp === undefined;
  if (!isStopped || open.some(isAtRestFor(context.object))) return await quiesce(services, context);
  const { left, patch } = await resumeWorkloads(services, context);
  return left.length > 0
    ? stillStopped(left, patch)
    : wait(0, 'Resumed', 'what was stopped for the copy is back', patch);
}

const stillStopped = (left: readonly string[], patch: Partial<MigrationStatus>): Result =>
  wait(5, 'Resuming', `bringing back ${left.slice(0, 3).join(', ')}`, patch);

async function leave(services: SourceServices, context: StageContext<Migration>): Promise<Result> {
  const { left, patch } = await resumeWorkloads(services, context);
  if (left.length > 0) return stillStopped(left, patch);
  return advance('Applications', { ...patch, volumeMigrationFinishTimestamp: rfc3339(services.clock.now()) });
}

/** Whether the pair can be used: a link that is down may come back, a pair that is gone or revoked never does. Pure. */
export function decidePair<P extends Pick<Peer, 'pair' | 'state' | 'link'>>(
  peer: P | undefined,
  clusterPair: string,
): { readonly peer: P } | { readonly hindrance: Outcome<never, MigrationStatus> } {
  const itself =
    'What the destination holds temporarily it removes by itself; what it keeps of an overwritten volume is told by an Event there.';
  if (peer === undefined)
    return failure('ClusterPairNotFound', `ClusterPair ${clusterPair} was deleted during the migration. ${itself}`);
  if (peer.link.state === 'Revoked')
    return failure('ClusterPairRevoked', `ClusterPair ${peer.pair} was revoked during the migration. ${itself}`);
  if (peer.state.ready === 'Yes') return { peer };
  const message = `ClusterPair ${peer.pair} is not Ready: ${peer.state.message}`;
  return { hindrance: wait(5, 'ClusterPairNotReady', message) };
}

const failure = (code: string, message: string) => ({ hindrance: fail(code, message) });

function after(before: readonly MigrationVolume[], result: GroupResult | undefined): readonly MigrationVolume[] {
  if (result === undefined) return before;
  switch (result.state) {
    case 'Complete':
      return result.volumes;
    case 'Working':
      return before.map((volume) => underWay(volume, result.progress));
    case 'Failed':
      return before.map((volume) => ({ ...volume, status: 'Failed', reason: result.message }));
    default:
      return result satisfies never;
  }
}

function mergeVolumes(
  all: readonly MigrationVolume[],
  changed: readonly MigrationVolume[],
): readonly MigrationVolume[] {
  const id = (volume: MigrationVolume) => `${volume.namespace}/${volume.persistentVolumeClaim}`;
  const byId = new Map(changed.map((volume) => [id(volume), volume]));
  return all.map((volume) => byId.get(id(volume)) ?? volume);
}
