/** Whether this cluster's own grant still lets these namespaces leave over the pair; asked again while they do. Pure. */
import { StorkError } from '../../../kube/errors.ts';
import { grantCovers } from '../../peer/grant-covers.ts';

export interface LeavingFacts {
  readonly pair: string;
  readonly grant: { readonly namespaces: readonly string[]; readonly directions: readonly string[] };
  readonly namespaces: readonly string[];
}

export interface LeavingRefusal {
  readonly code: 'GrantRefused';
  readonly message: string;
  readonly hint: string;
}

export function decideLeaving({ pair, grant, namespaces }: LeavingFacts): readonly LeavingRefusal[] {
  const refusals: LeavingRefusal[] = [];
  if (!grant.directions.includes('Send'))
    refusals.push({
      code: 'GrantRefused',
      message: `The ClusterPair ${pair} does not let applications leave this cluster (its grant has no direction Send)`,
      hint: 'Its admin can add Send to spec.grant.directions.',
    });
  const outside = [...new Set(namespaces)].filter((name) => !grantCovers(grant.namespaces, name));
  if (outside.length > 0)
    refusals.push({
      code: 'GrantRefused',
      message: `The ClusterPair ${pair} does not cover namespace ${outside.join(', ')}`,
      hint: 'Its admin can add it to spec.grant.namespaces.',
    });
  return refusals;
}

/** @throws StorkError `GrantRefused` */
export function mustLetLeave(facts: LeavingFacts): void {
  const [refused] = decideLeaving(facts);
  if (refused !== undefined) throw new StorkError({ ...refused, about: `clusterpair ${facts.pair}` });
}
