/** Options that choose restore points, and of which time. */
import type { SnapshotFilter } from '../find-snapshot.ts';
import { asOfOptions, asOfUsage } from './as-of-argument.ts';
import { type CareRun, textsOf } from './care-arguments.ts';

export const chosenOptions = {
  host: { type: 'string', multiple: true },
  path: { type: 'string', multiple: true },
  tag: { type: 'string', multiple: true },
} as const;

export const chosenUsage = `      --host NAME  --path PATH  --tag TEXT    only restore points of these; may be repeated
`;

export const filterOptions = { ...chosenOptions, ...asOfOptions } as const;

export const filterUsage = chosenUsage + asOfUsage;

export const filterOf = (given: CareRun['options']): SnapshotFilter => ({
  hosts: textsOf(given.host),
  paths: textsOf(given.path),
  tags: textsOf(given.tag),
});
