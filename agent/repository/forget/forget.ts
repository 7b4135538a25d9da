/** Takes restore points away. Their bytes stay until the collector finds them unused. Repeatable: what is gone already is no failure. */
import { StorkError } from '../../../kube/errors.ts';
import { recordRemoving } from '../ledger/write-ledger.ts';
import { type LockContext, takeLock } from '../locks/repository-lock.ts';

export interface ForgetRequest {
  /** Of the snapshots to forget. */
  readonly snapshots: readonly string[];
  /** How many restore points the repository, or the emptied group, would be left with is checked unless this is `Allowed`. */
  readonly forgettingAll: 'Refused' | 'Allowed';
}

/** @throws `WouldForgetAll` when no restore point would be left */
export async function forget(context: LockContext, { snapshots, forgettingAll }: ForgetRequest): Promise<void> {
  await using _lock = await takeLock(context, 'write');
  const { repository, signal } = context;
  if (forgettingAll === 'Refused' && snapshots.length > 0) {
    const leaving = new Set(snapshots.map((id) => `snapshots/${id}`));
    let left = 0;
    for await (const { name } of repository.store.list('snapshots/', signal)) if (!leaving.has(name)) left++;
    if (left === 0) throw wouldForgetAll('the repository');
  }
  const names = snapshots.map((id) => `snapshots/${id}`);
  await recordRemoving(context, names, { time: context.clock.now(), why: 'forgotten' });
  for (const name of names) {
    signal?.throwIfAborted();
    await repository.store.remove(name, signal);
  }
}

export const wouldForgetAll = (what: string): StorkError =>
  new StorkError({
    code: 'WouldForgetAll',
    message: `This would forget every restore point of ${what}`,
    hint: 'Nothing was changed. Keep some (--keep-last 1), or say that it is meant with --unsafe-allow-remove-all.',
  });
