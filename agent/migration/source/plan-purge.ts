/**
 * What is told to the destination so that it can purge: for each kind and namespace all names that are here, cut into
 * intervals of names, so that each message stands alone. Pure.
 */
import type { MigrationResource } from '../../../crds/v1alpha1/index.ts';
import { maxPurgeNames, maxPurgeScopes, type PurgeRequest } from '../messages.ts';
import type { Collected, PresentKind } from './source-services.ts';

type Scope = PurgeRequest['scopes'][number];

export type PurgeDecision =
  | { readonly do: 'purge'; readonly messages: readonly (readonly Scope[])[] }
  /** What was read here, or arrived there, is not the whole: what is missing may only have been overlooked. */
  | { readonly do: 'refuse'; readonly reason: string };

export function decidePurge(
  collected: Pick<Collected, 'present' | 'unreadable'>,
  resources: readonly MigrationResource[],
): PurgeDecision {
  const [unreadable] = collected.unreadable;
  if (unreadable !== undefined)
    return { do: 'refuse', reason: `nothing was purged, because ${unreadable.kind} could not be read on the source` };
  const failed = resources.filter(({ status }) => status !== 'Successful').length;
  if (failed > 0) return { do: 'refuse', reason: 'nothing was purged, because not everything migrated' };
  return { do: 'purge', messages: inMessages(collected.present.flatMap(scopesOf)) };
}

/** One scope, or several that follow on one another when there are more names than a message takes. */
function scopesOf(present: PresentKind): readonly Scope[] {
  const { group, version, kind, namespace } = present;
  const names = present.names.toSorted((one, other) => (one < other ? -1 : Number(one > other)));
  const scopes: Scope[] = [];
  for (let from = 0; from === 0 || from < names.length; from += maxPurgeNames) {
    const part = names.slice(from, from + maxPurgeNames);
    const isLast = from + maxPurgeNames >= names.length;
    scopes.push({
      ...{ group, version, kind, namespace, names: part },
      ...(from === 0 ? {} : { after: names[from - 1] }),
      ...(isLast ? {} : { upTo: part.at(-1) }),
    });
  }
  return scopes;
}

function inMessages(scopes: readonly Scope[]): readonly (readonly Scope[])[] {
  const messages: Scope[][] = [];
  let names = 0;
  for (const scope of scopes) {
    const last = messages.at(-1);
    names += scope.names.length;
    if (last !== undefined && last.length < maxPurgeScopes && names <= maxPurgeNames) last.push(scope);
    else {
      messages.push([scope]);
      names = scope.names.length;
    }
  }
  return messages;
}
