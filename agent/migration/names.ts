/**
 * Names of everything a migration makes. Derived from uids, so a repeated step finds what it made before,
 * and short enough for any kind (DNS-1123 label, ≤ 63 bytes).
 */
import { createHash } from 'node:crypto';
import { agentName, managedByLabel, operationLabel, runLabel } from '../../crds/agent-names.ts';

export const agentLabels = {
  operation: operationLabel,
  run: runLabel,
  record: 'stork.libopenstorage.org/record',
} as const;

/** Labels on every object that belongs to one operation: what clean-up selects by. */
export function operationLabels(operationUid: string): Readonly<Record<string, string>> {
  return { [managedByLabel]: agentName, [agentLabels.operation]: operationUid };
}

/** First 16 hex digits of SHA-256 over the parts, joined by a byte that no Kubernetes name contains. */
export function shortHash(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16);
}

/** Idempotency key of the snapshot of one claim for one operation; also the VolumeSnapshot's name. */
export const snapshotKey = (operationUid: string, namespace: string, claim: string): string =>
  `stork-${shortHash(operationUid, 'snapshot', namespace, claim)}`;

/** The claim in the agent's namespace from which a source mover reads a snapshot. */
export const readableClaimName = (operationUid: string, namespace: string, claim: string): string =>
  `stork-read-${shortHash(operationUid, namespace, claim)}`;

/**
 * The claim in the agent's namespace that is filled before it is handed to the user's namespace. Of one run only: the
 * clean-up of an older operation must not meet the volume that a newer one fills.
 */
export const incomingClaimName = (run: string, namespace: string, claim: string): string =>
  `stork-new-${shortHash(run, namespace, claim)}`;

/** Staging space of a destination mover, in the namespace of the claims it updates. */
export const scratchClaimName = (run: string): string => `stork-scratch-${run}`;

/** Snapshot of a destination claim, taken before an update is applied to it. */
export const undoSnapshotKey = (run: string, claim: string): string => `stork-undo-${shortHash(run, claim)}`;

/** One run = one pair of movers for one group of claims. Both agents derive it alike. */
export const runId = (operationUid: string, group: string): string => `run-${shortHash(operationUid, group)}`;

export const moverJobName = (run: string, role: 'source' | 'destination'): string =>
  `stork-${role === 'source' ? 'read' : 'write'}-${run}`;

/** ConfigMap with what we know of a claim's last complete point. */
export const claimRecordName = (namespace: string, claim: string): string =>
  `stork-claim-${shortHash(namespace, claim)}`;

/** ConfigMap that carries an incoming group on the destination. */
export const receiveRecordName = (run: string): string => `stork-receive-${run}`;
