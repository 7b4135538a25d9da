/** Which version of an object counts as of a time. Pure. */
import type { ObjectVersion } from './object-versions.ts';

export type VersionChoice =
  | { readonly do: 'Take'; readonly version: ObjectVersion }
  /** Only the bytes tell: the first whose SHA-256 is the name's; if none is, the first. At least two. */
  | { readonly do: 'Prove'; readonly candidates: readonly ObjectVersion[] }
  | { readonly do: 'Nothing' };

const digestName = /(?:^|\/)[0-9a-f]{64}$/;

/** Whether the bytes under this name can be held against it. */
export const isDigestName = (name: string): boolean => digestName.test(name);

/** Whether the name was there: what happened to it last until then was no deletion. */
export const wasThere = (versions: readonly ObjectVersion[], at: Date): boolean =>
  stateAt(versions, at)?.kind === 'Object';

/**
 * Under a name of its own: the newest version until then, unless that is a deletion. Under a digest the bytes count, not the time: when
 * somebody had overwritten or removed it by then, any version with the right bytes is right, older ones first.
 * @param versions newest first
 */
export function chooseVersion(name: string, versions: readonly ObjectVersion[], at: Date): VersionChoice {
  const state = stateAt(versions, at);
  if (!isDigestName(name)) return state?.kind === 'Object' ? { do: 'Take', version: state } : { do: 'Nothing' };
  const objects = versions.filter(({ kind }) => kind === 'Object');
  const until = objects.filter(({ madeAt }) => madeAt <= at);
  const [first, ...more] = until;
  if (first !== undefined && more.length === 0 && state === first) return { do: 'Take', version: first };
  const candidates = [...until, ...objects.filter(({ madeAt }) => madeAt > at).reverse()];
  const [only, ...others] = candidates;
  if (only === undefined) return { do: 'Nothing' };
  return others.length === 0 ? { do: 'Take', version: only } : { do: 'Prove', candidates };
}

const stateAt = (versions: readonly ObjectVersion[], at: Date): ObjectVersion | undefined =>
  versions.find(({ madeAt }) => madeAt <= at);
