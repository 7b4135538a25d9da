/** Whether the old versions of a name may go for good. Pure. */
import type { ObjectVersion } from '../store/object-versions.ts';

export type PurgeDecision =
  /** It is there: its older versions, if any, are evidence of an overwrite, not garbage. */
  | { readonly do: 'Keep' }
  /** It was deleted: `objects` are what still takes room, `deletions` go after them. */
  | {
      readonly do: 'Wait' | 'Purge';
      readonly objects: readonly ObjectVersion[];
      readonly deletions: readonly ObjectVersion[];
    };

/**
 * @param versions newest first
 * @param deletedBefore what was deleted later waits; undefined: everything waits
 */
export function decidePurge(versions: readonly ObjectVersion[], deletedBefore: Date | undefined): PurgeDecision {
  const [latest] = versions;
  if (latest === undefined || latest.kind === 'Object') return { do: 'Keep' };
  const isOld = deletedBefore !== undefined && latest.madeAt <= deletedBefore;
  return {
    do: isOld ? 'Purge' : 'Wait',
    objects: versions.filter(({ kind }) => kind === 'Object'),
    deletions: versions.filter(({ kind }) => kind === 'Deletion'),
  };
}
