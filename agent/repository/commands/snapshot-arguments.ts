/** Options that choose restore points, and of which time. */
import type { SnapshotFilter } from '../find-snapshot.ts';
import { asOfOptions, asOfUsage } from './as-of-argument.ts';
import { type CareRun, textsOf } from './care-arguments.ts';

export const filterOptions = {
  host: { type: 'string', multiple: true },
  path: { type: 'string', multiple: true },
  tag: { type: 'string', multiple: true },
  ...asOfOptions,
} as const;

export const filterUsage = `      --host NAME  --path PATH  --tag TEXT    only restore points of these; may be repeated
${asOfUsage}`;

export const filterOf = (given: CareRun['options']): SnapshotFilter => ({
  hosts: textsOf(given.host),
  paths: textsOf(given.path),
  tags: textsOf(given.tag),
});
