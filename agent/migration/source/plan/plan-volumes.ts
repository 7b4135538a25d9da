/** What would become of each volume, and how many bytes that is. */
import type { MigrationPlan, PlannedObject } from '../../../../crds/v1alpha1/index.ts';
import type { Driver } from '../../../../drivers/driver.ts';
import { mapLimit } from '../../../../kube/runtime/map-limit.ts';
import type { ClaimAnswer } from '../../messages.ts';
import type { SourceVolume } from '../gather-volumes.ts';
import type { SourceServices } from '../source-services.ts';

export type PlannedVolume = NonNullable<MigrationPlan['volumes']>[number];

export interface VolumeUse {
  readonly usedBytes: number;
  readonly usedFrom: NonNullable<PlannedVolume['usedFrom']>;
}

/** Pure. */
export function planVolume(
  { incoming, driver }: SourceVolume,
  answer: ClaimAnswer | undefined,
  use: VolumeUse | undefined,
): PlannedVolume {
  const planned = {
    namespace: incoming.namespace,
    persistentVolumeClaim: incoming.name,
    capacityBytes: Number(incoming.sizeBytes),
    ...use,
    cut: driver.snapshots === undefined ? ('Live' as const) : ('Snapshot' as const),
  };
  if (answer === undefined) return { ...planned, action: 'Refuse', reason: 'the destination did not answer about it' };
  switch (answer.decision) {
    case 'fill':
      return { ...planned, action: 'Fill', storageClass: answer.storageClass, reason: 'it is not there yet' };
    case 'update':
      return { ...planned, action: 'Update', reason: answer.message ?? 'only what differs is sent' };
    case 'refuse':
      return { ...planned, action: 'Refuse', reason: answer.message ?? 'the destination refuses it' };
    default:
      return answer.decision satisfies never;
  }
}

/** Claims are objects, too: as the run counts them. Pure. */
export function claimObject(volume: PlannedVolume): PlannedObject {
  const { namespace, persistentVolumeClaim: name, action, reason } = volume;
  const actions = { Fill: 'Create', Update: 'Update', Refuse: 'Fail' } as const;
  const identity = { group: '', version: 'v1', kind: 'PersistentVolumeClaim', namespace, name };
  return { ...identity, action: actions[action], reason };
}

/** By claim, `namespace/name`; a volume that nobody can tell of is absent. */
export async function findUse(
  services: SourceServices,
  volumes: readonly SourceVolume[],
  pairId: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, VolumeUse>> {
  const byStorage = await askStorage(volumes, signal);
  const found = await mapLimit(
    volumes,
    parallelReads,
    async ({ incoming, volume }, stop): Promise<readonly (readonly [string, VolumeUse])[]> => {
      const key = `${incoming.namespace}/${incoming.name}`;
      const told = byStorage.get(volume);
      if (told !== undefined) return [[key, { usedBytes: told, usedFrom: 'Storage' }]];
      const point = await services.records.findClaim(incoming.namespace, incoming.name, stop);
      const isOfThis = point?.pairId === pairId && point.claimUid === incoming.uid;
      if (!isOfThis || point.bytes === undefined) return [];
      return [[key, { usedBytes: point.bytes, usedFrom: 'LastPoint' }]];
    },
    signal,
  );
  return new Map(found.flat());
}

const parallelReads = 16;

/** By PersistentVolume. Storage that doesn't answer leaves its volumes unknown: no plan fails for an estimate. */
async function askStorage(volumes: readonly SourceVolume[], signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const used = new Map<string, number>();
  for (const [driver, owned] of Map.groupBy<Driver, SourceVolume>(volumes, (volume) => volume.driver)) {
    const refs = owned.map(({ incoming: { namespace, name, uid }, volume }) => ({
      claim: { namespace, name, uid },
      volume,
    }));
    const facts = await driver.inspect(refs, signal).catch(() => {
      signal.throwIfAborted();
      return undefined;
    });
    for (const [volume, { usedBytes }] of facts ?? []) if (usedBytes !== undefined) used.set(volume, Number(usedBytes));
  }
  return used;
}
