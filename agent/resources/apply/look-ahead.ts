/**
 * What is there of the objects about to be applied, without a read for each. Of many of the same kind and namespace a few are
 * read. When none of those is there, as on a first sync, the others are taken for absent, too: what is absent is only ever
 * made by a write that is refused when it is there, and then looked at. Otherwise one list tells of all; a list that turns
 * out to be much longer than what is wanted of it is given up: those objects are read one by one.
 */
import type { AnyObject, KubeClient, Resource } from '../../../kube/client/client.ts';
import { isForbidden, isNotFound } from '../../../kube/errors.ts';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';

export interface Wanted {
  readonly object: AnyObject;
  readonly resource: Resource;
}

/** `live` of something seen may be old, and an absence a guess. */
export type Sight = { readonly seen: 'Yes'; readonly live: AnyObject | undefined } | { readonly seen: 'No' };

/** From this many on a list is cheaper than reads. */
const minListed = 16;
/** Read of each group, all at once, spread over its names. */
const samples = 8;
/** How many foreign objects a list may hold for each that is wanted: one in a list costs about a thirtieth of a read. */
const maxForeign = 20;

export async function lookAhead(
  client: KubeClient,
  wanted: readonly Wanted[],
  signal?: AbortSignal,
): Promise<(object: AnyObject) => Sight> {
  const seen = new Map<AnyObject, AnyObject | undefined>();
  for (const group of Map.groupBy(wanted, placeOf).values()) {
    if (group.length < minListed) continue;
    const found = (await isSampleAbsent(client, group, signal)) ? nothing : await listWanted(client, group, signal);
    if (found === undefined) continue;
    for (const { object } of group) seen.set(object, found.get(object.metadata.name));
  }
  return (object) => (seen.has(object) ? { seen: 'Yes', live: seen.get(object) } : { seen: 'No' });
}

const nothing: ReadonlyMap<string, AnyObject> = new Map();

async function isSampleAbsent(client: KubeClient, group: readonly Wanted[], signal?: AbortSignal): Promise<boolean> {
  const step = group.length / samples;
  const some = Array.from({ length: samples }, (_, at) => group[Math.floor(at * step)]).filter(
    (one) => one !== undefined,
  );
  try {
    const read = ({ object, resource }: Wanted, stop: AbortSignal) => {
      const { namespace, name } = object.metadata;
      return client.find(resource, { namespace, name }, { signal: stop });
    };
    return (await mapLimit(some, samples, read, signal)).every((live) => live === undefined);
  } catch (error) {
    if (isForbidden(error)) return false;
    throw error;
  }
}

const placeOf = ({ object, resource }: Wanted): string =>
  `${resource.group}/${resource.version}/${resource.plural} ${object.metadata.namespace ?? ''}`;

async function listWanted(
  client: KubeClient,
  group: readonly Wanted[],
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, AnyObject> | undefined> {
  const [first] = group;
  if (first === undefined) return undefined;
  const names = new Set(group.map(({ object }) => object.metadata.name));
  const found = new Map<string, AnyObject>();
  let foreign = 0;
  try {
    const { namespace } = first.object.metadata;
    for await (const live of client.list<AnyObject>(first.resource, { namespace, signal })) {
      if (names.has(live.metadata.name)) found.set(live.metadata.name, live);
      else foreign += 1;
      if (foreign > maxForeign * group.length) return undefined;
    }
  } catch (error) {
    // The read of each object tells what is wrong.
    if (isForbidden(error) || isNotFound(error)) return undefined;
    throw error;
  }
  return found;
}
