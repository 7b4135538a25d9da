/**
 * The first half of stage Volumes: all snapshots at one point, then the application is let go at once. While a rule holds
 * the application, nothing happens here but asking for snapshots and looking whether they are cut.
 */
import { type Migration, type MigrationStatus, type MigrationVolume, rules } from '../../../../crds/v1alpha1/index.ts';
import type { Driver, SnapshotRequest, SnapshotState } from '../../../../drivers/driver.ts';
import { core } from '../../../../kube/client/core.ts';
import { StorkError } from '../../../../kube/errors.ts';
import { rfc3339 } from '../../../../kube/runtime/conditions.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import { mapLimit } from '../../../../kube/runtime/map-limit.ts';
import { fail, type Outcome, wait } from '../../../../kube/runtime/outcome.ts';
import { decideConsistency, decideRule, mayHold, summarizeHold } from '../../../rule/decide-rule.ts';
import type { RuleRun } from '../../../rule/rule-run.ts';
import { operationLabels, snapshotKey } from '../../names.ts';
import { namespacesOf } from '../find-namespaces.ts';
import { type SourceServices, sourceLimits } from '../source-services.ts';
import { rulePatch } from './pre-exec-rule.ts';

type Result = Outcome<never, MigrationStatus>;

/** `undefined` when every volume is cut, the application is free and the post rule has run. */
export async function cutVolumes(
  services: SourceServices,
  context: StageContext<Migration>,
): Promise<Result | undefined> {
  const { object: migration } = context;
  const volumes = migration.status?.volumes ?? [];
  if (volumes.some((volume) => volume.cutTimestamp === undefined))
    return await takeSnapshots(services, context, volumes);
  const pre = migration.status?.rule?.pre;
  if (pre !== undefined && (mayHold(pre) || migration.status?.rule?.releasedTimestamp === undefined))
    return await letGo(services, context);
  return await runPostRule(services, context);
}

async function takeSnapshots(
  services: SourceServices,
  context: StageContext<Migration>,
  volumes: readonly MigrationVolume[],
): Promise<Result> {
  const { object: migration, signal } = context;
  const now = rfc3339(services.clock.now());
  const states = await mapLimit(
    volumes,
    sourceLimits.snapshots,
    async (volume) => ({
      volume,
      state: await context.effect(`snapshot ${nameOf(volume)}`, () => snapshot(services, migration, volume, signal)),
    }),
    signal,
  );
  const failed = states.find(({ state }) => state?.phase === 'Failed');
  if (failed?.state?.phase === 'Failed')
    return fail('SnapshotFailed', `The snapshot of ${nameOf(failed.volume)} failed: ${failed.state.reason}`);
  const pending = states.filter(({ state }) => state?.phase === 'Pending').map(({ volume }) => nameOf(volume));
  if (pending.length > 0)
    return wait(
      sourceLimits.heldPollSeconds,
      'CuttingSnapshots',
      `waiting for the snapshot of ${pending.slice(0, 5).join(', ')}`,
    );
  const cut = states.map(({ volume, state }): MigrationVolume => {
    const snapshotted = state?.phase === 'Cut' || state?.phase === 'Ready';
    const cutTimestamp = snapshotted ? state.cutTime : now;
    return { ...volume, cutTimestamp, ...(snapshotted ? { snapshot: keyOf(migration, volume) } : {}) };
  });
  return wait(0, 'SnapshotsCut', 'every volume is cut', { volumes: cut });
}

/** `undefined` when the storage has no snapshots: the live volume will be read. */
async function snapshot(
  services: SourceServices,
  migration: Migration,
  volume: MigrationVolume,
  signal: AbortSignal,
): Promise<SnapshotState | undefined> {
  const driver = await driverOf(services, volume, signal);
  return await driver.snapshots?.ensure(snapshotRequest(migration, volume), signal);
}

async function letGo(services: SourceServices, context: StageContext<Migration>): Promise<Result> {
  const { object: migration, signal } = context;
  const run = migration.status?.rule?.pre;
  if (run === undefined) return wait(0, 'Released');
  if (isUnproven(run)) {
    const proven = await context.effect('prove hold', () => services.rules.prove(run, signal));
    return wait(
      0,
      'HoldProven',
      'the application was held until every volume was cut',
      rulePatch(migration, { pre: proven }),
    );
  }
  if (mayHold(run)) {
    const released = await context.effect('release hold', () => services.rules.release(run, signal));
    const again = mayHold(released) ? 1 : 0;
    return wait(again, 'Releasing', 'letting the application go', rulePatch(migration, { pre: released }));
  }
  // The released record is persisted by now: what it was read from may go.
  await context.effect('clear rule files', () => services.rules.clear(run, signal));
  const held = summarizeHold(run);
  const patch = rulePatch(migration, {
    releasedTimestamp: rfc3339(services.clock.now()),
    ...(held === undefined ? {} : { blockedMilliseconds: Math.round(held.heldMs) }),
  });
  const consistency = decideConsistency(run);
  if (consistency.consistent === 'No' && consistency.onError === 'Fail')
    return fail(consistency.code, consistency.message, patch);
  return wait(0, 'Released', held?.text ?? 'the application was let go', patch);
}

/** The proof is persisted before the release: a restart between them must not look like a hold that broke. */
function isUnproven(run: RuleRun): boolean {
  const targets = run.steps.filter(({ kind }) => kind === 'Background').flatMap((step) => step.targets);
  return targets.some((target) => target.state === 'Holding' && target.provenTime === undefined);
}

async function runPostRule(services: SourceServices, context: StageContext<Migration>): Promise<Result | undefined> {
  const { object: migration, signal } = context;
  const name = migration.spec.postExecRule ?? '';
  if (name === '') return undefined;
  const namespace = migration.metadata.namespace ?? '';
  const rule = await services.client.find(rules, { namespace, name }, { signal });
  if (rule === undefined) return fail('RuleNotFound', `Rule ${name} was deleted from namespace ${namespace}`);
  const run = migration.status?.rule?.post;
  if (run === undefined) {
    const operationUid = migration.metadata.uid ?? '';
    const plan = await services.rules.plan(
      { operationUid, namespaces: await namespacesOf(services, migration, signal), rule, position: 'Post', attempt: 1 },
      signal,
    );
    if (plan.do === 'refuse') return fail(plan.code, plan.message);
    return wait(0, 'PostExecRule', `starting rule ${name}`, rulePatch(migration, { post: plan.run }));
  }
  const verdict = decideRule(run);
  switch (verdict.phase) {
    case 'Done':
    case 'Holding':
      return undefined;
    case 'Failed':
      return fail('PostExecRuleFailed', verdict.message);
    case 'Run': {
      const next = await context.effect('advance post rule', () => services.rules.advance(run, rule, signal));
      return wait(0, 'PostExecRule', `running rule ${name}`, rulePatch(migration, { post: next }));
    }
    default:
      return verdict satisfies never;
  }
}

export async function driverOf(
  services: SourceServices,
  volume: MigrationVolume,
  signal: AbortSignal,
): Promise<Driver> {
  const name = volume.volume ?? '';
  const pv = await services.client.find(core.persistentVolumes, { name }, { signal });
  if (pv === undefined)
    throw new StorkError({
      code: 'SourceVolumeGone',
      message: `The volume of ${nameOf(volume)} was deleted on the source during the migration`,
      about: `persistentvolume ${name}`,
    });
  const driver = services.driverFor({ pv: { ...pv } });
  if (driver !== undefined) return driver;
  throw new StorkError({
    code: 'NoDriver',
    message: `No storage driver knows the volume of ${nameOf(volume)}`,
    about: `persistentvolume ${name}`,
  });
}

export function snapshotRequest(migration: Migration, volume: MigrationVolume): SnapshotRequest {
  const uid = migration.metadata.uid ?? '';
  const claim = { namespace: volume.namespace ?? '', name: volume.persistentVolumeClaim ?? '', uid: volume.uid ?? '' };
  return {
    key: keyOf(migration, volume),
    volume: { claim, volume: volume.volume ?? '' },
    labels: operationLabels(uid),
  };
}

const keyOf = (migration: Migration, volume: MigrationVolume): string =>
  snapshotKey(migration.metadata.uid ?? '', volume.namespace ?? '', volume.persistentVolumeClaim ?? '');

export const nameOf = (volume: MigrationVolume): string => `${volume.namespace}/${volume.persistentVolumeClaim}`;
