/** A run's id as a safe file name. */
import { createHash } from 'node:crypto';

export const shortRunName = (run: string): string =>
  `run-${createHash('sha256').update(run).digest('hex').slice(0, 16)}`;
