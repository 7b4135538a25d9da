/** What was left out on purpose, as a status can keep it of thousands of objects: counted by kind and reason, a few named. Pure. */
import type { MigrationStatus } from '../../../crds/v1alpha1/index.ts';
import type { Collected } from './source-services.ts';

/** As the schema has it (crds/v1alpha1/migration-status.ts). */
const limits = { groups: 50, names: 10 } as const;

type Skipped = NonNullable<MigrationStatus['skipped']>;

export function countSkipped(skipped: Collected['skipped']): Skipped {
  const groups = [...Map.groupBy(skipped, keyOf).values()].map((members) => {
    const [{ kind = '', reason = '' } = {}] = members;
    const names = members.map(({ namespace, name }) => (namespace === undefined ? name : `${namespace}/${name}`));
    return { kind, reason, count: members.length, names: names.toSorted().slice(0, limits.names) };
  });
  const ordered = groups.toSorted((one, other) => other.count - one.count || (keyOf(one) < keyOf(other) ? -1 : 1));
  return { total: skipped.length, groups: ordered.slice(0, limits.groups) };
}

const keyOf = ({ kind, reason }: { readonly kind: string; readonly reason: string }): string => `${kind} ${reason}`;
