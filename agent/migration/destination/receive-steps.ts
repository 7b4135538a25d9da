/** Carries out one step of decideReceive. Each is idempotent: after a crash it is decided and done again. */
import { agentName } from '../../../crds/agent-names.ts';
import { core, type PersistentVolume, type PersistentVolumeClaim } from '../../../kube/client/core.ts';
import { isAlreadyExists, StorkError } from '../../../kube/errors.ts';
import { rfc3339 } from '../../../kube/runtime/conditions.ts';
import { type MoverResult, renderMoverResult } from '../../mover/contract.ts';
import { storkNames } from '../../resources/names.ts';
import { findIdentity } from '../find-identity.ts';
import type { IncomingVolume, Placement } from '../messages.ts';
import type { MoverRequest } from '../mover-jobs.ts';
import { agentLabels, incomingClaimName, operationLabels, scratchClaimName } from '../names.ts';
import type { ReceiveRecord, Stored } from '../records.ts';
import { decideClaim } from './decide-claim.ts';
import { type DestinationServices, scratchSize } from './destination-services.ts';
import { gatherClaimFacts, gatherClusterFacts } from './gather-claim-facts.ts';
import { moverNamespace } from './gather-receive-facts.ts';
import { handOver } from './hand-over.ts';
import { placeMover } from './place-mover.ts';

type Signal = AbortSignal | undefined;

export async function provision(
  services: DestinationServices,
  record: ReceiveRecord,
  names: readonly string[],
  signal: Signal,
): Promise<void> {
  for (const claim of record.request.claims.filter(({ name }) => names.includes(name))) {
    const storageClassName = await storageClassFor(services, record, claim, signal);
    await createClaim(
      services,
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: {
          name: incomingClaimName(record.request.run, claim.namespace, claim.name),
          namespace: services.agentNamespace,
          labels: operationLabels(record.request.operation),
          annotations: { 'stork.libopenstorage.org/for': `${claim.namespace}/${claim.name}` },
        },
        spec: {
          accessModes: [...claim.accessModes],
          volumeMode: claim.volumeMode,
          storageClassName,
          resources: { requests: { storage: claim.sizeBytes } },
        },
      },
      signal,
    );
  }
}

async function storageClassFor(
  services: DestinationServices,
  record: ReceiveRecord,
  claim: IncomingVolume,
  signal: Signal,
): Promise<string> {
  const cluster = await gatherClusterFacts(services.client, services.records, [], signal);
  const context = { pairId: record.pairId, operation: record.request.operation, overwrite: 'Refuse' } as const;
  const decision = decideClaim(await gatherClaimFacts(services, cluster, claim, context, signal));
  if (decision.do === 'fill') return decision.storageClass;
  const refusal =
    decision.do === 'refuse'
      ? decision
      : {
          code: 'ClaimNotOurs',
          message: `persistentvolumeclaim ${claim.namespace}/${claim.name} appeared on the destination`,
          hint: '',
        };
  throw new StorkError(refusal);
}

export async function makeScratch(
  services: DestinationServices,
  record: ReceiveRecord,
  bytes: number,
  signal: Signal,
): Promise<void> {
  const claim = record.request.claims[0];
  if (claim === undefined) return;
  const target = await services.client.get(core.persistentVolumeClaims, claim, { signal });
  await createClaim(
    services,
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name: scratchClaimName(record.request.run),
        namespace: moverNamespace(services, record),
        labels: operationLabels(record.request.operation),
      },
      spec: {
        accessModes: ['ReadWriteOnce'],
        ...(target.spec?.storageClassName === undefined ? {} : { storageClassName: target.spec.storageClassName }),
        resources: { requests: { storage: String(scratchSize(bytes)) } },
      },
    },
    signal,
  );
}

export async function removeScratch(
  services: DestinationServices,
  record: ReceiveRecord,
  signal: Signal,
): Promise<'Gone' | 'Removing'> {
  const key = { namespace: moverNamespace(services, record), name: scratchClaimName(record.request.run) };
  const found = await services.client.find(core.persistentVolumeClaims, key, { signal });
  // In a namespace of users anything may have that name.
  if (found?.metadata.labels?.[agentLabels.operation] !== record.request.operation) return 'Gone';
  const { uid } = found.metadata;
  if ((await services.client.delete(core.persistentVolumeClaims, key, { uid, signal })) === undefined) return 'Gone';
  return (await services.client.find(core.persistentVolumeClaims, key, { signal })) === undefined ? 'Gone' : 'Removing';
}

async function createClaim(services: DestinationServices, claim: PersistentVolumeClaim, signal: Signal): Promise<void> {
  try {
    await services.client.create(core.persistentVolumeClaims, claim, { fieldManager: agentName, signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

export async function startMover(
  services: DestinationServices,
  record: ReceiveRecord,
  scratchBytes: number | undefined,
  signal: Signal,
): Promise<void> {
  const { request } = record;
  const volumes = await Promise.all(
    request.claims.map(async (claim) => ({
      name: claim.name,
      claim: request.mode === 'fresh' ? incomingClaimName(record.request.run, claim.namespace, claim.name) : claim.name,
      volumeMode: claim.volumeMode,
      expectDigest: await expectedDigest(services, record, claim, signal),
    })),
  );
  const namespace = moverNamespace(services, record);
  const task = { role: 'destination', namespace, volumes, otherwise: request.identity } as const;
  const isOurs = namespace === services.agentNamespace;
  const identity = isOurs ? undefined : await findIdentity(services.client, task, signal);
  await services.moverJobs.start(
    {
      operation: request.operation,
      run: request.run,
      role: 'destination',
      mode: request.mode,
      namespace,
      volumes,
      identity,
      existing: existingFor(record),
      readAll: request.readAll,
      placement: await placementFor(services, record, signal),
      scratchClaim: identity === undefined && scratchBytes !== undefined ? scratchClaimName(request.run) : undefined,
      scratchBytes: identity === undefined ? undefined : scratchBytes,
    },
    signal,
  );
}

async function placementFor(
  services: DestinationServices,
  { request }: ReceiveRecord,
  signal: Signal,
): Promise<Placement> {
  const neighbours: PersistentVolume[] = [];
  for (const name of request.beside ?? []) {
    const key = { namespace: request.claims[0]?.namespace ?? '', name };
    const claim = await services.client.find(core.persistentVolumeClaims, key, { signal });
    const volume = claim?.spec?.volumeName ?? '';
    const found =
      volume === '' ? undefined : await services.client.find(core.persistentVolumes, { name: volume }, { signal });
    if (found !== undefined) neighbours.push(found);
  }
  return placeMover(request.placement, neighbours);
}

/** What an interrupted update has half changed is neither the old point nor the new one: the mover knows it as its own. */
function existingFor({ request, applyingSince }: ReceiveRecord): MoverRequest['existing'] {
  if (request.overwrite) return 'Overwrite';
  return applyingSince === undefined ? 'Refuse' : 'Redo';
}

async function expectedDigest(
  services: DestinationServices,
  record: ReceiveRecord,
  claim: IncomingVolume,
  signal: Signal,
): Promise<string | undefined> {
  if (record.request.mode === 'fresh' || record.request.overwrite) return undefined;
  return (await services.records.findClaim(claim.namespace, claim.name, signal))?.digest;
}

export async function keepResult(
  services: DestinationServices,
  stored: Stored<ReceiveRecord>,
  result: MoverResult,
  signal: Signal,
): Promise<void> {
  await services.records.saveReceive({ ...stored.value, result: renderMoverResult(result) }, stored, signal);
}

/** `Waiting` as long as any of the claims isn't bound in its users' namespace. */
export async function handOverClaims(
  services: DestinationServices,
  record: ReceiveRecord,
  serviceAccount: string,
  names: readonly string[],
  signal: Signal,
): Promise<string | undefined> {
  const clients = { own: services.client, asPeer: services.asPeer(serviceAccount) };
  const mover = await services.moverJobs.remove(
    { namespace: moverNamespace(services, record), run: record.request.run, role: 'destination' },
    signal,
  );
  if (mover !== 'Gone') return 'the mover is ending';
  for (const claim of record.request.claims.filter(({ name }) => names.includes(name))) {
    await ensureNamespace(services, serviceAccount, claim.namespace, signal);
    const from = {
      namespace: services.agentNamespace,
      name: incomingClaimName(record.request.run, claim.namespace, claim.name),
    };
    const annotations = {
      ...claim.annotations,
      [storkNames.migrated]: 'true',
      [storkNames.migrationPair]: record.pairId,
    };
    const to = { ...claim, sizeBytes: BigInt(claim.sizeBytes), labels: claim.labels ?? {}, annotations };
    const moved = await handOver(clients, { from, to }, signal);
    if (moved.state === 'Waiting') return moved.message;
  }
  return undefined;
}

/** Writes down the point that has just been proven, per claim; its number grows by one each time. */
export async function rememberClaims(
  services: DestinationServices,
  record: ReceiveRecord,
  result: MoverResult,
  names: readonly string[],
  signal: Signal,
): Promise<void> {
  for (const claim of record.request.claims.filter(({ name }) => names.includes(name))) {
    const outcome = result.volumes.find(({ name }) => name === claim.name);
    if (outcome === undefined)
      throw new StorkError({ code: 'ResultIncomplete', message: `The mover's result does not mention ${claim.name}` });
    const target = await services.client.get(core.persistentVolumeClaims, claim, { signal });
    const before = await services.records.findClaim(claim.namespace, claim.name, signal);
    await services.records.saveClaim(
      {
        namespace: claim.namespace,
        name: claim.name,
        claimUid: target.metadata.uid ?? '',
        pairId: record.pairId,
        role: 'Destination',
        digest: outcome.digest,
        point: (before?.point ?? 0) + 1,
        operation: record.request.operation,
        time: rfc3339(services.clock.now()),
      },
      signal,
    );
  }
}

/** The point that the group's claims have reached: read back from what is remembered, so that a restart finds it too. */
export async function reachedPoint(
  services: DestinationServices,
  record: ReceiveRecord,
  signal: Signal,
): Promise<number> {
  let newest = 1;
  for (const { namespace, name } of record.request.claims)
    newest = Math.max(newest, (await services.records.findClaim(namespace, name, signal))?.point ?? 1);
  return newest;
}

/** Makes the claims' namespace when it is not there; what else it carries comes with the resources. */
export async function ensureNamespace(
  services: DestinationServices,
  serviceAccount: string,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  if ((await services.client.find(core.namespaces, { name }, { signal })) !== undefined) return;
  try {
    await services
      .asPeer(serviceAccount)
      .create(
        core.namespaces,
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
        { fieldManager: 'stork', signal },
      );
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
