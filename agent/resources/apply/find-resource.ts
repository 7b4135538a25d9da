/**
 * The destination's resource for an object's group, version and kind, also when its CRD was made a moment ago.
 */
import type { AnyObject, KubeClient, Resource } from '../../../kube/client/client.ts';
import { listServedKinds } from '../defined-kinds.ts';
import { splitApiVersion } from '../resource-ref.ts';

export type FoundResource =
  | { readonly found: 'Yes'; readonly resource: Resource }
  | { readonly found: 'No'; readonly reason: string };

export interface ResourceFinder {
  find(object: AnyObject, signal?: AbortSignal): Promise<FoundResource>;
}

/** Remembers what it found for as long as it lives: one call of applyObjects. */
export function createResourceFinder(client: KubeClient): ResourceFinder {
  const known = new Map<string, Promise<FoundResource>>();
  const look = async (object: AnyObject, signal?: AbortSignal): Promise<FoundResource> => {
    const { group, version } = splitApiVersion(object.apiVersion);
    const isOfKind = (one: Resource) => one.group === group && one.kind === object.kind && !one.plural.includes('/');
    const discovered = (await client.discover({ signal })).find((one) => isOfKind(one) && one.version === version);
    if (discovered !== undefined) return { found: 'Yes', resource: discovered };
    // Discovery is cached: a kind that was defined a moment ago is not in it.
    const served = (await listServedKinds(client, signal)).filter(isOfKind);
    const exact = served.find((one) => one.version === version);
    if (exact !== undefined) return { found: 'Yes', resource: exact };
    const others = served.map((resource) => resource.version).join(', ');
    const instead = others === '' ? '' : `; it serves ${others}`;
    return { found: 'No', reason: `the destination does not serve ${object.apiVersion} ${object.kind}${instead}` };
  };
  return {
    find(object, signal) {
      const key = `${object.apiVersion} ${object.kind}`;
      const found = known.get(key) ?? look(object, signal);
      known.set(key, found);
      return found;
    },
  };
}
