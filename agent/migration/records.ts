/**
 * What an agent remembers between restarts and without its peer, as ConfigMaps in its own namespace: the last complete
 * point of each claim, and each incoming group. Users can't write there, so what they say can be relied on for safety.
 */
import { agentName, managedByLabel } from '../../crds/agent-names.ts';
import type { Schema } from '../../crds/schema/index.ts';
import { type Infer, integer, list, object, oneOf, parse, required, string, time } from '../../crds/schema/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { type ConfigMap, core } from '../../kube/client/core.ts';
import { StorkError } from '../../kube/errors.ts';
import { receiveRequestSchema } from './messages.ts';
import { agentLabels, claimRecordName, receiveRecordName } from './names.ts';

const name = () => required(string({ minLength: 1, maxLength: 253 }));

/** The last complete point of a claim: `Source` when it left from here, `Destination` when it arrived here. */
const claimMemorySchema = object({
  namespace: name(),
  name: name(),
  claimUid: name(),
  pairId: name(),
  role: required(oneOf(['Source', 'Destination'])),
  digest: name(),
  point: required(integer({ minimum: 1 })),
  /** What the volume held then, for estimates. */
  bytes: integer({ minimum: 0 }),
  operation: name(),
  time: required(time()),
});
export type ClaimRecord = Infer<typeof claimMemorySchema>;

const receiveRecordSchema = object({
  pairId: name(),
  pair: name(),
  /** The ServiceAccount of the grant under which users' objects are written: `namespace/name`. */
  actAs: name(),
  request: required(receiveRequestSchema),
  /** `Kept`: nothing is left but snapshots of what was overwritten, until `keptUntil`. */
  phase: required(oneOf(['Working', 'Complete', 'Failed', 'Removing', 'Kept'])),
  reason: required(string({ maxLength: 64 })),
  message: required(string({ maxLength: 4096 })),
  started: required(time()),
  /** When the peer last asked, give or take a quarter of an hour; absent until then. */
  asked: time(),
  /** The mover's termination message, once it has ended well. */
  result: string({ maxLength: 8192 }),
  wantedScratchBytes: integer({ minimum: 0 }),
  /** When the mover was allowed to change the volume: from then on the update is finished, whatever the peer says. */
  applyingSince: time(),
  point: integer({ minimum: 1 }),
  /** Where a person finds what was overwritten, one sentence a claim. */
  kept: list(string({ maxLength: 1024 }), { maxItems: 64 }),
  /** When what was overwritten is removed; absent where a person must decide. */
  keptUntil: time(),
  /** When it was told on the cluster what is kept. */
  announced: time(),
});
export type ReceiveRecord = Infer<typeof receiveRecordSchema>;

/** A record with the version that guards its next write. */
export interface Stored<T> {
  readonly value: T;
  readonly resourceVersion: string;
}

export interface Records {
  findClaim(namespace: string, claim: string, signal?: AbortSignal): Promise<ClaimRecord | undefined>;
  /** Overwrites; the caller has just proven the point. */
  saveClaim(record: ClaimRecord, signal?: AbortSignal): Promise<void>;
  findReceive(run: string, signal?: AbortSignal): Promise<Stored<ReceiveRecord> | undefined>;
  listReceives(signal?: AbortSignal): Promise<readonly Stored<ReceiveRecord>[]>;
  /** Creates when `was` is undefined (AlreadyExists when there is one), else replaces exactly that version (Conflict). */
  saveReceive(
    record: ReceiveRecord,
    was: Stored<ReceiveRecord> | undefined,
    signal?: AbortSignal,
  ): Promise<Stored<ReceiveRecord>>;
  removeReceive(run: string, signal?: AbortSignal): Promise<void>;
}

export const receiveRecordSelector = `${agentLabels.record}=receive`;

export function createRecords(client: KubeClient, agentNamespace: string): Records {
  const key = (recordName: string) => ({ namespace: agentNamespace, name: recordName });
  return {
    async findClaim(namespace, claim, signal) {
      const found = await client.find(core.configMaps, key(claimRecordName(namespace, claim)), { signal });
      return found === undefined ? undefined : readRecord(claimMemorySchema, found);
    },
    async saveClaim(record, signal) {
      const map = configMap(agentNamespace, claimRecordName(record.namespace, record.name), 'claim', record);
      await client.apply(core.configMaps, map, { fieldManager: agentName, conflicts: 'Force', signal });
    },
    async findReceive(run, signal) {
      const found = await client.find(core.configMaps, key(receiveRecordName(run)), { signal });
      return found === undefined ? undefined : stored(found);
    },
    async listReceives(signal) {
      const records: Stored<ReceiveRecord>[] = [];
      const options = { namespace: agentNamespace, labelSelector: receiveRecordSelector, signal };
      for await (const map of client.list(core.configMaps, options)) records.push(stored(map));
      return records;
    },
    async saveReceive(record, was, signal) {
      const map = configMap(agentNamespace, receiveRecordName(record.request.run), 'receive', record);
      const { operation, run } = record.request;
      const labels = { ...map.metadata.labels, [agentLabels.operation]: operation, [agentLabels.run]: run };
      const labelled = { ...map, metadata: { ...map.metadata, labels } };
      const options = { fieldManager: agentName, signal };
      if (was === undefined) return stored(await client.create(core.configMaps, labelled, options));
      const metadata = { ...labelled.metadata, resourceVersion: was.resourceVersion };
      return stored(await client.replace(core.configMaps, { ...labelled, metadata }, options));
    },
    async removeReceive(run, signal) {
      await client.delete(core.configMaps, key(receiveRecordName(run)), { signal });
    },
  };
}

/** The ClusterPair over which a group comes, `namespace/name`; empty when the record can't be read. */
export function pairOf(map: ConfigMap): string {
  try {
    return stored(map).value.pair;
  } catch {
    return '';
  }
}

function configMap(namespace: string, recordName: string, kind: 'claim' | 'receive', record: unknown): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: recordName,
      namespace,
      labels: { [managedByLabel]: agentName, [agentLabels.record]: kind },
    },
    data: { record: JSON.stringify(record) },
  };
}

function stored(map: ConfigMap): Stored<ReceiveRecord> {
  return { value: readRecord(receiveRecordSchema, map), resourceVersion: map.metadata.resourceVersion ?? '' };
}

function readRecord<T>(schema: Schema<T, unknown>, map: ConfigMap): T {
  try {
    return parse(schema, JSON.parse(map.data?.record ?? ''));
  } catch (cause) {
    throw new StorkError({
      code: 'RecordUnreadable',
      message: `ConfigMap ${map.metadata.namespace}/${map.metadata.name} does not hold a record of ours`,
      about: `configmap ${map.metadata.namespace}/${map.metadata.name}`,
      hint: 'Somebody edited it. Restore it from a backup of the cluster, or delete it: the next sync of that claim then needs --overwrite-destination.',
      cause,
    });
  }
}
