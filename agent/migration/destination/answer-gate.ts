/**
 * What a destination mover hears when everything is staged and verified and it asks to change its volumes. Nobody may use
 * them; where the storage can snapshot, one is cut first, so that even a broken update can be undone by hand. The
 * permission is written down before it is given, because from then on the update is finished whatever happens.
 */
import { isConflict } from '../../../kube/errors.ts';
import { rfc3339 } from '../../../kube/runtime/conditions.ts';
import type { GateAnswer } from '../../mover/contract.ts';
import { type DestinationServices, destinationEffect } from './destination-services.ts';
import { findActivePods } from './gather-claim-facts.ts';
import { undoSnapshots } from './undo-snapshots.ts';

export async function answerGate(
  services: DestinationServices,
  run: string,
  signal?: AbortSignal,
): Promise<GateAnswer> {
  const stored = await services.records.findReceive(run, signal);
  if (stored === undefined || stored.value.phase !== 'Working') return refused('the operation is over');
  const { value: record } = stored;
  const { claims, mode } = record.request;
  // A fresh volume is nobody's yet, and is filled without asking.
  if (mode === 'fresh') return refused('a new volume is not updated');
  const findUse = async (): Promise<GateAnswer | undefined> => {
    const pods = await findActivePods(services.client, claims, signal);
    return pods.length === 0 ? undefined : refused(`in use on the destination by pod ${pods.join(', ')}`);
  };
  const inUse = await findUse();
  if (inUse !== undefined) return inUse;
  if (record.applyingSince !== undefined) return { state: 'Go' };
  for (const { driver, snapshot } of await undoSnapshots(services, record, signal)) {
    const state = await driver.snapshots?.ensure(snapshot, signal);
    if (state?.phase === 'Failed') return refused(`the snapshot before the update failed: ${state.reason}`);
    if (state?.phase === 'Pending') return wait;
  }
  // Snapshots take their time: asked again at the last moment.
  const inUseNow = await findUse();
  if (inUseNow !== undefined) return inUseNow;
  const applying = { ...record, applyingSince: rfc3339(services.clock.now()) };
  const allow = () => services.records.saveReceive(applying, stored, signal);
  try {
    await destinationEffect(services, { does: 'allow', record, signal }, allow);
  } catch (error) {
    if (isConflict(error)) return wait;
    throw error;
  }
  return { state: 'Go' };
}

const wait: GateAnswer = { state: 'Wait', retryAfterMs: 500 };
const refused = (reason: string): GateAnswer => ({ state: 'Refused', reason });
