/** The lock of a command that reads for long, so that nothing is deleted meanwhile. */
import { StorkError } from '../../../kube/errors.ts';
import type { LockContext } from '../locks/repository-lock.ts';
import { beginReading } from '../locks/writer-session.ts';

/**
 * @param isWanted false with `--no-lock`
 * @throws as `beginReading`; of a place that can't be written to it tells the way without
 */
export async function readingLock(context: LockContext, isWanted: boolean): Promise<AsyncDisposable | undefined> {
  if (!isWanted) return undefined;
  try {
    return await beginReading(context);
  } catch (error) {
    if (!(error instanceof StorkError) || error.code !== 'StoreRefused') throw error;
    const { code, message, about, cause } = error;
    const hint = `${error.hint ?? ''} Or take no lock (--no-lock), where nothing prunes it meanwhile.`.trim();
    throw new StorkError({ code, message, about, cause, hint });
  }
}
