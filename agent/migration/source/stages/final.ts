/**
 * Stage Final: removes everything temporary on both sides, and only then says how the migration ended. Runs also when a
 * stage failed, and while a Migration is being deleted.
 */
import type { Migration, MigrationStatus, MigrationVolume } from '../../../../crds/v1alpha1/index.ts';
import type { AnyResource, ObjectKey } from '../../../../kube/client/client.ts';
import { core } from '../../../../kube/client/core.ts';
import { isNotFound, renderError, StorkError } from '../../../../kube/errors.ts';
import { rfc3339 } from '../../../../kube/runtime/conditions.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import { finish, type Outcome, wait } from '../../../../kube/runtime/outcome.ts';
import { mayHold } from '../../../rule/decide-rule.ts';
import { paths, removeAnswerSchema } from '../../messages.ts';
import { readableClaimName, snapshotKey } from '../../names.ts';
import type { MigrationStageName } from '../migration-machine.ts';
import { type SourceServices, sourceLimits } from '../source-services.ts';
import { driverOf, snapshotRequest } from './cut-volumes.ts';
import { groupsOf, moverNamespace } from './move-group.ts';
import { rulePatch } from './pre-exec-rule.ts';
import { resumeWorkloads } from './quiesce.ts';

type Result = Outcome<MigrationStageName, MigrationStatus>;

export async function runFinal(services: SourceServices, context: StageContext<Migration>): Promise<Result> {
  const { object: migration } = context;
  const left = await cleanUp(services, context);
  const since = Date.parse(migration.status?.stageStartTimestamp ?? '') || services.clock.now().getTime();
  const ending = migration.status?.ending ?? { status: 'Failed', reason: migration.status?.reason ?? '' };
  const expired = isExpired(services, since);
  if (left.what.length > 0 && !expired)
    return wait(1, 'CleaningUp', `removing ${left.what.slice(0, 5).join(', ')}`, left.patch);
  const leftover = left.what.length > 0 ? ` Left behind, please remove: ${left.what.join(', ')}.` : '';
  return finish(ending.status ?? 'Failed', `${ending.reason ?? ''}${leftover}`, {
    ...left.patch,
    finishTimestamp: rfc3339(services.clock.now()),
  });
}

export interface Leftover {
  readonly what: readonly string[];
  /** Those of them that are here, where nothing but time is between us and their end. */
  readonly here: readonly string[];
  readonly patch: Partial<MigrationStatus>;
}

/** One pass; what it names is still there. An application is let go before anything else is tried. */
export async function cleanUp(services: SourceServices, context: StageContext<Migration>): Promise<Leftover> {
  const rules = await releaseRules(services, context);
  const resumed = await resumeWorkloads(services, context);
  const stopped = resumed.left.map((what) => `the stop of ${what}`);
  const here = await removeHere(services, context);
  const there = await removeThere(services, context);
  const own = [...rules.what, ...stopped, ...here];
  return { what: [...own, ...there], here: own, patch: { ...rules.patch, ...resumed.patch } };
}

/**
 * Whether a Migration that is being deleted may go, though its destination has not cleaned up: its pair may never come
 * back, and the destination gives up by itself what nobody asks for.
 */
export function mayLeave(
  services: SourceServices,
  { left, since }: { readonly left: Leftover; readonly since: number },
): boolean {
  return left.here.length === 0 && isExpired(services, since);
}

function isExpired({ clock }: SourceServices, since: number): boolean {
  return clock.now().getTime() - since > sourceLimits.cleanUpSeconds * 1000;
}

async function releaseRules(
  services: SourceServices,
  context: StageContext<Migration>,
): Promise<Pick<Leftover, 'what' | 'patch'>> {
  const { object: migration, signal } = context;
  const { pre } = migration.status?.rule ?? {};
  if (pre === undefined) return { what: [], patch: {} };
  if (!mayHold(pre)) {
    if (migration.status?.rule?.releasedTimestamp !== undefined) return { what: [], patch: {} };
    // A stage failed before it came to this; the released record is persisted by now.
    await context.effect('clear rule files at the end', () => services.rules.clear(pre, signal));
    const releasedTimestamp = rfc3339(services.clock.now());
    return { what: [], patch: rulePatch(migration, { releasedTimestamp }) };
  }
  const released = await context.effect('release hold at the end', () => services.rules.release(pre, signal));
  return {
    what: mayHold(released) ? [`the hold of rule ${pre.rule}`] : [],
    patch: rulePatch(migration, { pre: released }),
  };
}

async function removeHere(services: SourceServices, context: StageContext<Migration>): Promise<readonly string[]> {
  const { object: migration, signal } = context;
  const left: string[] = [];
  const groups = groupsOf(migration);
  for (const group of groups) {
    services.runs.close(group.run);
    for (const namespace of new Set([services.agentNamespace, group.namespace])) {
      const place = { namespace, run: group.run, role: 'source' } as const;
      const state = await context.effect(`remove mover of ${group.id}`, () => services.moverJobs.remove(place, signal));
      if (state !== 'Gone') left.push(`the mover of ${group.id}`);
    }
  }
  for (const volume of migration.status?.volumes ?? []) {
    if ((volume.snapshot ?? '') === '' && volume.cutTimestamp !== undefined) continue;
    const driver = await driverOf(services, volume, signal).catch(onlyGone);
    if (driver === undefined) {
      left.push(...(await removeOrphans(services, volume, { migration, signal })));
      continue;
    }
    if (driver.snapshots === undefined) continue;
    const { snapshots } = driver;
    const request = snapshotRequest(migration, volume);
    const name = readableClaimName(
      migration.metadata.uid ?? '',
      volume.namespace ?? '',
      volume.persistentVolumeClaim ?? '',
    );
    const group = groups.find(({ volumes }) => volumes.includes(volume));
    const into = { namespace: group === undefined ? services.agentNamespace : moverNamespace(services, group), name };
    const readable = await context.effect(`release readable ${name}`, () =>
      snapshots.releaseReadable(request, into, signal),
    );
    if (readable !== 'Gone') left.push(`persistentvolumeclaim ${into.namespace}/${name}`);
    else if (
      (await context.effect(`release snapshot ${request.key}`, () => snapshots.release(request, signal))) !== 'Gone'
    )
      left.push(`volumesnapshot ${volume.namespace}/${request.key}`);
  }
  return left;
}

/** The volume is gone, and with it the way to its driver: what we made for it is removed by its names. */
async function removeOrphans(
  services: SourceServices,
  volume: MigrationVolume,
  of: { readonly migration: Migration; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const { migration, signal } = of;
  const uid = migration.metadata.uid ?? '';
  const [namespace = '', claim = ''] = [volume.namespace, volume.persistentVolumeClaim];
  const readable = { namespace: services.agentNamespace, name: readableClaimName(uid, namespace, claim) };
  const left: string[] = [];
  const remove = async (resource: AnyResource, key: ObjectKey): Promise<void> => {
    const lingering = await services.client.delete(resource, key, { signal }).catch(onlyMissing);
    if (lingering !== undefined) left.push(`${resource.plural} ${key.namespace}/${key.name}`);
  };
  await remove(core.persistentVolumeClaims, readable);
  await remove(core.volumeSnapshots, readable);
  await remove(core.volumeSnapshots, { namespace, name: snapshotKey(uid, namespace, claim) });
  return left;
}

/** A cluster without external-snapshotter has no such kind, and nothing of it to remove. */
function onlyMissing(error: unknown): undefined {
  if (isNotFound(error)) return undefined;
  throw error;
}

/** A volume that was deleted meanwhile can't be asked which driver it had. */
const gone: ReadonlySet<string> = new Set(['NotFound', 'NoDriver', 'SourceVolumeGone']);

function onlyGone(error: unknown): undefined {
  if (error instanceof StorkError && gone.has(error.code)) return undefined;
  throw error;
}

async function removeThere(services: SourceServices, context: StageContext<Migration>): Promise<readonly string[]> {
  const { object: migration, signal } = context;
  if ((migration.status?.volumes ?? []).length === 0) return [];
  const peer = await services.peers.find(migration.metadata.namespace ?? '', migration.spec.clusterPair, signal);
  // Nobody is left to ask: the destination gives back by itself what it holds.
  if (peer === undefined || peer.link.state === 'Revoked') return [];
  if (peer.state.ready === 'No')
    return [`what the destination of ${migration.spec.clusterPair} holds temporarily (it can't be reached now)`];
  const path = paths.operation(migration.metadata.uid ?? '');
  try {
    const answer = await peer.request({ method: 'DELETE', path, answer: removeAnswerSchema, signal });
    return answer.state === 'Gone' ? [] : (answer.left ?? ['temporary objects of the destination']);
  } catch (error) {
    context.log.warn('the destination could not clean up yet', { error });
    return [`temporary objects of the destination (${renderError(error)})`];
  }
}
