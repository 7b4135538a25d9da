/**
 * One group of volumes on its way: readable claims from the snapshots, a mover here, a mover there, and in the end the
 * proof that both hold the same. Every step is an `ensure`; what it returns is the volumes' new status.
 */
import type { Migration, MigrationVolume } from '../../../../crds/v1alpha1/index.ts';
import type { Driver, SnapshotState } from '../../../../drivers/driver.ts';
import { core } from '../../../../kube/client/core.ts';
import { StorkError } from '../../../../kube/errors.ts';
import { rfc3339 } from '../../../../kube/runtime/conditions.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import { identityOf } from '../../../mover/mover-identity.ts';
import type { Peer } from '../../../peer/peer.ts';
import { findIdentity } from '../../find-identity.ts';
import {
  applyingReason,
  groupStateSchema,
  maxBeside,
  type Placement,
  paths,
  type ReceiveAnswer,
  type ReceiveRequest,
  receiveAnswerSchema,
} from '../../messages.ts';
import { readableClaimName, runId } from '../../names.ts';
import type { RunWatch } from '../../run-watch.ts';
import { decideGroup, type GroupFacts } from '../decide-group.ts';
import { type Consumer, gatherConsumers } from '../gather-consumers.ts';
import { findNodeOf, gatherVolumes } from '../gather-volumes.ts';
import { type GroupProgress, progressOf } from '../measure-progress.ts';
import type { SourceServices } from '../source-services.ts';
import { driverOf, nameOf, snapshotRequest } from './cut-volumes.ts';

export interface Group {
  readonly id: string;
  readonly run: string;
  readonly namespace: string;
  readonly mode: 'fresh' | 'update';
  readonly volumes: readonly MigrationVolume[];
}

export type GroupResult =
  | { readonly state: 'Working'; readonly message: string; readonly progress?: GroupProgress | undefined }
  | { readonly state: 'Complete'; readonly volumes: readonly MigrationVolume[] }
  | { readonly state: 'Failed'; readonly code: string; readonly message: string };

export function groupsOf(migration: Migration): readonly Group[] {
  const uid = migration.metadata.uid ?? '';
  const groups = Map.groupBy(migration.status?.volumes ?? [], (volume) => volume.group ?? '');
  return [...groups].map(([id, volumes]) => ({
    id,
    run: runId(uid, id),
    namespace: volumes[0]?.namespace ?? '',
    mode: volumes[0]?.mode ?? 'fresh',
    volumes,
  }));
}

export async function moveGroup(
  services: SourceServices,
  context: StageContext<Migration>,
  peer: Peer,
  group: Group,
): Promise<GroupResult> {
  const { object: migration, signal } = context;
  const place = { namespace: moverNamespace(services, group), run: group.run, role: 'source' } as const;
  const destination = await context.effect(`receive ${group.id}`, () =>
    receive(services, migration, { peer, group }, signal),
  );
  const watch = services.runs.open({ ...place, claimNamespaces: [group.namespace], volumes: volumesOf(group) }, peer);
  const mover = await services.moverJobs.look(place, signal);
  const begins = destination.phase === 'Working' && mover.job === 'Missing';
  const sources = begins ? await readSources(services, context, group) : [];
  const claims = claimsOfGroup(group);
  const step = decideGroup({ readable: readability(sources), mover, destination, claims });
  switch (step.do) {
    case 'wait':
      if (mover.job === 'Running' && destination.reason !== applyingReason)
        await mustHaveLiveClaims(services, group, signal);
      return {
        state: 'Working',
        message: describeWork(group, step.message, { watch, destination }),
        progress: progressOf(watch, destination),
      };
    case 'fail':
      return { state: 'Failed', code: step.code, message: step.message };
    case 'startMover': {
      await context.effect(`start mover of ${group.id}`, () =>
        startMover(services, migration, { group, sources }, signal),
      );
      return { state: 'Working', message: 'the source mover is starting' };
    }
    case 'restartMover':
      await context.effect(`end mover of ${group.id}`, () => services.moverJobs.remove(place, signal));
      return { state: 'Working', message: `${group.id} is sent again` };
    case 'complete':
      await context.effect(`remember ${group.id}`, () =>
        remember(services, migration, { peer, group, mover, step }, signal),
      );
      return {
        state: 'Complete',
        volumes: group.volumes.map((volume) =>
          completed(volume, { ...step, kept: destination.kept ?? [], howRead: howRead(migration, volume) }, mover),
        ),
      };
    default:
      return step satisfies never;
  }
}

/** What happens now, in words: the mover's own once it speaks. Without figures, which change too often for a status reason. */
function describeWork(
  group: Group,
  message: string,
  { watch, destination }: { readonly watch: RunWatch; readonly destination: ReceiveAnswer },
): string {
  if (destination.mover === 'Scanning') return `the destination reads what it has of ${group.id}`;
  if (destination.mover === 'Applying') return `the destination applies what arrived of ${group.id}: ${message}`;
  switch (watch.report?.phase) {
    case undefined:
    case 'Connecting':
      return message;
    case 'Verifying':
    case 'Finished':
      return `${group.id} was sent; the destination verifies what arrived`;
    default:
      return `copying ${group.id}`;
  }
}

interface Source {
  readonly volume: MigrationVolume;
  readonly driver: Driver;
  /** Where the mover reads: a claim of ours from the snapshot, or the live claim. */
  readonly claim: { readonly namespace: string; readonly name: string };
  readonly live: 'Yes' | 'No';
  readonly readable: GroupFacts['readable'];
}

async function readSources(
  services: SourceServices,
  context: StageContext<Migration>,
  group: Group,
): Promise<readonly Source[]> {
  const { object: migration, signal } = context;
  const sources: Source[] = [];
  for (const volume of group.volumes) {
    const driver = await driverOf(services, volume, signal);
    const own = { namespace: volume.namespace ?? '', name: volume.persistentVolumeClaim ?? '' };
    const { snapshots } = driver;
    if (snapshots === undefined || isLive(volume)) {
      sources.push({ volume, driver, claim: own, live: 'Yes', readable: 'Yes' });
      continue;
    }
    const request = snapshotRequest(migration, volume);
    const into = {
      namespace: moverNamespace(services, group),
      name: readableClaimName(migration.metadata.uid ?? '', own.namespace, own.name),
    };
    // Only observed: asking again for a snapshot that somebody deleted would cut a new one at a later point.
    const state = await snapshots.observe(request, signal);
    if (state?.phase === 'Ready')
      await context.effect(`read claim ${nameOf(volume)}`, () => snapshots.ensureReadable(request, into, signal));
    const failed = whyUnreadable(volume, state);
    sources.push({
      volume,
      driver,
      claim: into,
      live: 'No',
      readable: failed ?? (state?.phase === 'Ready' ? 'Yes' : 'No'),
    });
  }
  return sources;
}

function whyUnreadable(
  volume: MigrationVolume,
  state: SnapshotState | undefined,
): { readonly failed: string } | undefined {
  if (state === undefined) return { failed: `The snapshot of ${nameOf(volume)} was deleted while it was needed` };
  return state.phase === 'Failed' ? { failed: `The snapshot of ${nameOf(volume)} failed: ${state.reason}` } : undefined;
}

function readability(sources: readonly Source[]): GroupFacts['readable'] {
  const worst = sources.map(({ readable }) => readable).filter((readable) => readable !== 'Yes');
  return worst.find((readable) => typeof readable === 'object') ?? worst[0] ?? 'Yes';
}

const claimsOfGroup = ({ volumes }: Group) => volumes.map((volume) => volume.persistentVolumeClaim ?? '');

const volumesOf = ({ volumes }: Group) =>
  volumes.map(({ persistentVolumeClaim: name = '', uid = '' }) => ({ name, uid }));

const isLive = (volume: MigrationVolume): boolean => (volume.snapshot ?? '') === '';

/** A live claim can only be mounted in its own namespace; snapshots are read in the agent's, unless with a live claim. */
export function moverNamespace(services: SourceServices, group: Group): string {
  return group.volumes.some(isLive) ? group.namespace : services.agentNamespace;
}

async function startMover(
  services: SourceServices,
  migration: Migration,
  what: { readonly group: Group; readonly sources: readonly Source[] },
  signal: AbortSignal,
): Promise<void> {
  const { group, sources } = what;
  const live = sources.find((source) => source.live === 'Yes');
  const node = live === undefined ? undefined : await findNodeOf(services.client, live.claim, signal);
  // Where nobody uses it any more, it is read where its users may run.
  const consumers =
    live === undefined || node !== undefined
      ? []
      : await gatherConsumers(services.client, group.namespace, claimsOfGroup(group), signal);
  const namespace = moverNamespace(services, group);
  const volumes = await Promise.all(
    sources.map(async ({ volume, claim }) => ({
      name: volume.persistentVolumeClaim ?? '',
      claim: claim.name,
      volumeMode: await volumeModeOf(services, volume, signal),
    })),
  );
  const task = { role: 'source', namespace, volumes } as const;
  const identity = live === undefined ? undefined : await findIdentity(services.client, task, signal);
  const request = {
    operation: migration.metadata.uid ?? '',
    run: group.run,
    role: 'source',
    mode: group.mode,
    readAll: migration.spec.readAll === true,
    namespace,
    identity,
    node,
    ...(consumers.length === 0 ? {} : { placement: placementOf(findConsumer(group, consumers)) }),
    volumes,
  } as const;
  await services.moverJobs.start(request, signal);
}

async function volumeModeOf(services: SourceServices, volume: MigrationVolume, signal: AbortSignal) {
  const pv = await services.client.get(core.persistentVolumes, { name: volume.volume ?? '' }, { signal });
  return pv.spec?.volumeMode === 'Block' ? ('Block' as const) : ('Filesystem' as const);
}

/** Asks how far the destination is; only a destination that knows nothing of the group is told all about it. */
async function receive(
  services: SourceServices,
  migration: Migration,
  to: { readonly peer: Peer; readonly group: Group },
  signal: AbortSignal,
): Promise<ReceiveAnswer> {
  const { peer, group } = to;
  const path = paths.group(migration.metadata.uid ?? '', group.run);
  const { answer } = await peer.request({ method: 'GET', path, answer: groupStateSchema, signal });
  if (answer !== undefined) return answer;
  const body = await describeGroup(services, migration, group, signal);
  return await peer.request({ method: 'PUT', path, body, answer: receiveAnswerSchema, signal });
}

/** @throws StorkError `SourceClaimGone` */
async function describeGroup(
  services: SourceServices,
  migration: Migration,
  group: Group,
  signal: AbortSignal,
): Promise<ReceiveRequest> {
  const gathered = await gatherVolumes(services, migration, [group.namespace], signal);
  const claims = group.volumes.map((volume) => {
    const found = gathered.volumes.find(({ incoming }) => incoming.uid === volume.uid);
    if (found !== undefined) return found.incoming;
    throw claimGone(volume);
  });
  const consumer = findConsumer(group, gathered.consumers);
  return {
    operation: migration.metadata.uid ?? '',
    migration: `${migration.metadata.namespace}/${migration.metadata.name}`,
    run: group.run,
    group: group.id,
    mode: group.mode,
    overwrite: migration.spec.overwriteDestination === true,
    readAll: migration.spec.readAll === true,
    claims,
    placement: placementOf(consumer),
    identity: consumer === undefined ? undefined : identityOf(consumer.spec),
    beside: besideOf(group, consumer),
  };
}

const claimGone = (volume: MigrationVolume): StorkError =>
  new StorkError({
    code: 'SourceClaimGone',
    message: `persistentvolumeclaim ${nameOf(volume)} was deleted or changed on the source during the migration`,
    about: `persistentvolumeclaim ${nameOf(volume)}`,
    hint: 'Migrate again.',
  });

/** A mover of a live claim that is gone would wait for it for ever. @throws StorkError `SourceClaimGone` */
async function mustHaveLiveClaims(services: SourceServices, { volumes }: Group, signal: AbortSignal): Promise<void> {
  for (const volume of volumes.filter(isLive)) {
    const key = { namespace: volume.namespace ?? '', name: volume.persistentVolumeClaim ?? '' };
    const claim = await services.client.find(core.persistentVolumeClaims, key, { signal });
    if (claim?.metadata.uid !== volume.uid) throw claimGone(volume);
  }
}

/** The pod that was seen at the beginning; or, when it was stopped or made anew since, what makes pods like it. */
const findConsumer = ({ volumes }: Group, consumers: readonly Consumer[]): Consumer | undefined =>
  consumers.find(({ name }) => name === volumes[0]?.consumer) ??
  consumers.find(({ claims }) => volumes.every(({ persistentVolumeClaim: name = '' }) => claims.includes(name)));

function placementOf(consumer: Consumer | undefined): Placement {
  const { nodeSelector, tolerations, affinity } = consumer?.spec ?? {};
  const { nodeAffinity } = affinity ?? {};
  return { nodeSelector, tolerations, affinity: nodeAffinity === undefined ? undefined : { nodeAffinity } };
}

/** What the pod whose constraints the movers take over mounts besides the group's claims. */
function besideOf({ volumes }: Group, consumer: Consumer | undefined): readonly string[] {
  const own = new Set(volumes.map((volume) => volume.persistentVolumeClaim));
  return (consumer?.claims ?? []).filter((name) => !own.has(name)).slice(0, maxBeside);
}

/** This side's memory of the point, for the day the data comes back over the same pair. */
async function remember(
  services: SourceServices,
  migration: Migration,
  done: {
    readonly peer: Peer;
    readonly group: Group;
    readonly mover: GroupFacts['mover'];
    readonly step: { readonly point: number; readonly volumes: NonNullable<ReceiveAnswer['volumes']> };
  },
  signal: AbortSignal,
): Promise<void> {
  for (const volume of done.group.volumes) {
    const isOf = ({ name }: { readonly name: string }) => name === volume.persistentVolumeClaim;
    const outcome = done.step.volumes.find(isOf);
    const sent = done.mover.result?.volumes.find(isOf);
    if (outcome === undefined) continue;
    await services.records.saveClaim(
      {
        namespace: volume.namespace ?? '',
        name: volume.persistentVolumeClaim ?? '',
        claimUid: volume.uid ?? '',
        pairId: done.peer.pairId,
        role: 'Source',
        // What the volume here held.
        digest: (outcome.sent === undefined ? undefined : sent?.digest) ?? outcome.digest,
        point: done.step.point,
        bytes: outcome.bytes,
        operation: migration.metadata.uid ?? '',
        time: rfc3339(services.clock.now()),
      },
      signal,
    );
  }
}

function howRead({ status }: Migration, volume: MigrationVolume): readonly string[] {
  if (!isLive(volume)) return [];
  const rested = status?.quiesce?.claims?.includes(nameOf(volume)) === true;
  return [
    rested
      ? 'read while what writes it was stopped: its storage has no snapshots'
      : 'the live volume was read: its storage has no snapshots',
  ];
}

function completed(
  volume: MigrationVolume,
  step: {
    readonly point: number;
    readonly volumes: NonNullable<ReceiveAnswer['volumes']>;
    /** What was overwritten on the destination, and where it keeps it. */
    readonly kept: readonly string[];
    readonly howRead: readonly string[];
  },
  mover: GroupFacts['mover'],
): MigrationVolume {
  const outcome = step.volumes.find(({ name }) => name === volume.persistentVolumeClaim);
  const sent = mover.result?.volumes.find(({ name }) => name === volume.persistentVolumeClaim);
  const degraded = Object.entries(outcome?.degraded ?? {}).map(([kind, count]) => `${count} × ${kind}`);
  const changed = Object.entries(sent?.warnings ?? {}).map(([kind, count]) => `${count} files ${kind}`);
  return {
    ...volume,
    status: degraded.length + changed.length > 0 ? 'PartialSuccess' : 'Successful',
    reason: [
      ...step.howRead,
      ...(degraded.length > 0 ? [`could not be set on the destination: ${degraded.join(', ')}`] : []),
      ...(changed.length > 0 ? [`changed while being read live: ${changed.join(', ')}`] : []),
      ...step.kept.filter((sentence) => sentence.startsWith(`what ${volume.persistentVolumeClaim} held`)),
    ].join('; '),
    bytesTotal: outcome?.bytes ?? 0,
    bytesSent: sent?.bytesSent ?? outcome?.bytesSent ?? 0,
    bytesRead: sent?.bytesRead ?? 0,
    digest: outcome?.digest ?? '',
    point: String(step.point),
  };
}
