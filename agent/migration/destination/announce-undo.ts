/**
 * Tells on the destination itself what is kept of a claim that was overwritten, or whose update broke: nobody may be left to
 * read it in the Migration's status. An Event on the claim, be it there or not, says what to do, annotations on the VolumeSnapshot
 * say until when. Idempotent.
 */
import { agentName, keptBecauseAnnotation, keptUntilAnnotation, managedByLabel } from '../../../crds/agent-names.ts';
import { core } from '../../../kube/client/core.ts';
import { isAlreadyExists, isForbidden, isNotFound } from '../../../kube/errors.ts';
import { rfc3339 } from '../../../kube/runtime/conditions.ts';
import type { ReceiveRecord } from '../records.ts';
import type { DestinationServices } from './destination-services.ts';
import { describeKept, type KeptSnapshot, listKept } from './undo-snapshots.ts';

export async function announceUndo(
  services: DestinationServices,
  record: ReceiveRecord,
  signal?: AbortSignal,
): Promise<void> {
  for (const kept of await listKept(services, record, signal)) {
    await annotate(services, record, kept, signal);
    await tell(services, record, kept, signal);
  }
}

/** Storage that keeps its snapshots elsewhere has no such object. */
async function annotate(
  { client }: DestinationServices,
  record: ReceiveRecord,
  { namespace, claim, name }: KeptSnapshot,
  signal: AbortSignal | undefined,
): Promise<void> {
  const because = record.keptUntil === undefined ? `the update of ${claim} broke` : `${claim} was overwritten`;
  const annotations = {
    [keptUntilAnnotation]: record.keptUntil ?? 'for good',
    [keptBecauseAnnotation]: `${because} by migration ${record.request.operation} over pair ${record.pair}`,
  };
  const body = { metadata: { annotations } };
  try {
    await client.patch(core.volumeSnapshots, { namespace, name }, { type: 'merge', body }, { signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

async function tell(
  { client, clock }: DestinationServices,
  record: ReceiveRecord,
  kept: KeptSnapshot,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { namespace, claim, name } = kept;
  const found = await client.find(core.persistentVolumeClaims, { namespace, name: claim }, { signal });
  const uid = found?.metadata.uid;
  const now = rfc3339(clock.now());
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    // The name is what makes a repetition no second event.
    metadata: { name: `${name}.kept`, namespace },
    involvedObject: {
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: claim },
      ...(uid === undefined ? {} : { uid }),
    },
    type: record.keptUntil === undefined ? 'Warning' : 'Normal',
    reason: 'UndoSnapshotKept',
    message: `${describeKept(kept, record.keptUntil)}. ${whatToDo(record, { namespace, claim, name })}`.slice(0, 1024),
    source: { component: agentName },
    reportingComponent: agentName,
    reportingInstance: agentName,
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  };
  try {
    await client.create(core.events, event, { fieldManager: agentName, signal });
  } catch (error) {
    // A namespace that is gone, or going, has nobody to be told, and no snapshot.
    if (!isAlreadyExists(error) && !isNotFound(error) && !isForbidden(error)) throw error;
  }
}

function whatToDo(
  record: ReceiveRecord,
  { namespace, name }: { readonly namespace: string; readonly claim: string; readonly name: string },
): string {
  const back = `To go back: a new claim with spec.dataSource VolumeSnapshot ${name}.`;
  const show = `kubectl stork describe volumesnapshot ${name} -n ${namespace}`;
  if (record.keptUntil === undefined)
    return `${back} When it is needed no more: kubectl -n ${namespace} delete volumesnapshot ${name} (${show})`;
  return `${back} To keep it for good: kubectl -n ${namespace} label volumesnapshot ${name} ${managedByLabel}- (${show})`;
}
