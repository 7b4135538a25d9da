/** What a restore could not bring back: named, or its end. */
import { bytesOf } from '../directory-fd.ts';
import { failRepository } from '../repository-error.ts';
import type { RestoreProblem } from './restore-job.ts';

/** So many are named; all are counted. */
export const problemLimit = 1000;

/** @throws `RestoreDiffers`, `RestoreIncomplete` */
export function failProblem({ path, kind, message }: RestoreProblem): never {
  const name = bytesOf(path).toString('utf8');
  if (kind === 'different') failRepository('RestoreDiffers', message, name, 'Restore again; look at the disk.');
  failRepository(
    'RestoreIncomplete',
    kind === 'lost' ? `Content is lost: ${message}` : `It can't be written: ${message}`,
    name,
    'With --keep-going everything else is restored, and all that is lost is named.',
  );
}
