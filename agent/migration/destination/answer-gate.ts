/**
 * What a destination mover hears when everything is staged and verified and it asks to change its volumes. Nobody may use
 * them, and from here on nobody can begin to; where the storage can snapshot, one is cut first, so that even a broken update
 * can be undone by hand. The permission is written down before it is given, because from then on the update is finished
 * whatever happens; but a mover that was interrupted asks again, and is refused when somebody had the volumes meanwhile.
 */
import { isConflict } from '../../../kube/errors.ts';
import { rfc3339 } from '../../../kube/runtime/conditions.ts';
import type { GateAnswer } from '../../mover/contract.ts';
import type { ReceiveRecord } from '../records.ts';
import { type DestinationServices, destinationEffect, destinationLimits } from './destination-services.ts';
import { findOtherNodes, findUse, findUsersSince } from './find-use.ts';
import { moverNamespace } from './gather-receive-facts.ts';
import { lockClaims } from './lock-claims.ts';
import { undoSnapshots } from './undo-snapshots.ts';

export async function answerGate(
  services: DestinationServices,
  run: string,
  signal?: AbortSignal,
): Promise<GateAnswer> {
  const stored = await services.records.findReceive(run, signal);
  if (stored === undefined || stored.value.phase !== 'Working') return refused('the operation is over');
  const { value: record } = stored;
  // A fresh volume is nobody's yet, and is filled without asking.
  if (record.request.mode === 'fresh') return refused('a new volume is not updated');
  try {
    return record.applyingSince === undefined
      ? await answerFirst(services, record, async () => {
          const applying = { ...record, applyingSince: rfc3339(services.clock.now()) };
          const allow = () => services.records.saveReceive(applying, stored, signal);
          await destinationEffect(services, { does: 'allow', record, signal }, allow);
        })
      : await answerAgain(services, record, record.applyingSince, signal);
  } catch (error) {
    if (isConflict(error)) return wait;
    throw error;
  }
}

async function answerFirst(
  services: DestinationServices,
  record: ReceiveRecord,
  writeDown: () => Promise<void>,
  signal?: AbortSignal,
): Promise<GateAnswer> {
  const { claims } = record.request;
  const inUse = (await findUse(services.client, claims, signal)).active;
  if (inUse.length > 0) return refusedFor(inUse);
  const volumes = await lock(services, record, signal);
  for (const { driver, snapshot } of await undoSnapshots(services, record, signal)) {
    const state = await driver.snapshots?.ensure(snapshot, signal);
    if (state?.phase === 'Failed') return refused(`the snapshot before the update failed: ${state.reason}`);
    if (state?.phase === 'Pending') return wait;
  }
  // Asked again under the lock: whoever comes from now on has to wait.
  const inUseNow = (await findUse(services.client, claims, signal)).active;
  if (inUseNow.length > 0) return refusedFor(inUseNow);
  const nodes = await otherNodes(services, record, volumes, signal);
  if (nodes.length > 0) return isPatient(services, record) ? wait : refused(attachedTo(nodes));
  await writeDown();
  return { state: 'Go' };
}

/** Pods that wait behind the lock are no hindrance; those that had the volumes since the permission are. */
async function answerAgain(
  services: DestinationServices,
  record: ReceiveRecord,
  since: string,
  signal?: AbortSignal,
): Promise<GateAnswer> {
  const { claims } = record.request;
  const volumes = await lock(services, record, signal);
  const { mounting } = await findUse(services.client, claims, signal);
  if (mounting.length > 0) return refusedFor(mounting);
  const users = await findUsersSince(services.client, claims, since, signal);
  if (users.length > 0) return refused(`used while its update was interrupted by pod ${users.join(', ')}`);
  return (await otherNodes(services, record, volumes, signal)).length > 0 ? wait : { state: 'Go' };
}

function lock(services: DestinationServices, record: ReceiveRecord, signal: AbortSignal | undefined) {
  return destinationEffect(services, { does: 'lock', record, signal }, () =>
    lockClaims(services.client, record, signal),
  );
}

function otherNodes(
  services: DestinationServices,
  record: ReceiveRecord,
  volumes: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const of = { volumes, run: record.request.run, namespace: moverNamespace(services, record) };
  return findOtherNodes(services.client, of, signal);
}

/** A node lets go of a volume some time after the pod that used it has ended. */
function isPatient({ clock }: DestinationServices, { started }: ReceiveRecord): boolean {
  return clock.now().getTime() - Date.parse(started) < destinationLimits.detachMinutes * 60_000;
}

const attachedTo = (nodes: readonly string[]): string =>
  `attached on the destination to node ${nodes.join(', ')}, where no pod uses it any more`;

const wait: GateAnswer = { state: 'Wait', retryAfterMs: 500 };
const refused = (reason: string): GateAnswer => ({ state: 'Refused', reason });
const refusedFor = (pods: readonly string[]): GateAnswer =>
  refused(`in use on the destination by pod ${pods.join(', ')}`);
