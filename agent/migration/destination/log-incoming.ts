/**
 * What the destination's log tells of a migration that came: each line carries its operation and, where the peer said it, its
 * name there, by which `kubectl stork logs` here finds it. Pure.
 */
import type { AppliedObject } from '../../resources/apply/apply-objects.ts';
import type { ResourceRef } from '../../resources/resource-ref.ts';

/** Of a list that one line names. */
export const namedInLog = 10;

export function describeApplied(
  wave: { readonly operation: string; readonly migration: string; readonly sender: { readonly pair: string } },
  applied: readonly AppliedObject[],
): Readonly<Record<string, unknown>> {
  const counts = Object.fromEntries(
    [...Map.groupBy(applied, ({ result }) => result)].map(([result, objects]) => [result, objects.length]),
  );
  // In full they are in the status on the source.
  const left = applied.filter(({ result }) => result === 'Failed' || result === 'Conflict').map(nameOf);
  return {
    ...{ operation: wave.operation, migration: wave.migration, pair: wave.sender.pair, ...counts },
    ...(left.length === 0 ? {} : { left: left.slice(0, namedInLog) }),
  };
}

const nameOf = ({ ref }: { readonly ref: ResourceRef }): string =>
  `${ref.kind} ${ref.namespace === undefined ? '' : `${ref.namespace}/`}${ref.name}`;
