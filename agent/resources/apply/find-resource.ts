/**
 * The destination's resource for an object's group, version and kind: from discovery, or from its CRD when that was made
 * a moment ago and discovery does not know it yet.
 */
import type { AnyObject, KubeClient, Resource } from '../../../kube/client/client.ts';
import { listDefinedKinds } from '../defined-kinds.ts';
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
    const served = await client.discover({ signal });
    const ofKind = served.filter(
      (resource) => resource.group === group && resource.kind === object.kind && !resource.plural.includes('/'),
    );
    const exact = ofKind.find((resource) => resource.version === version);
    if (exact !== undefined) return { found: 'Yes', resource: exact };
    const defined = (await listDefinedKinds(client, signal)).find(
      (kind) => kind.group === group && kind.kind === object.kind && kind.version === version,
    );
    if (defined !== undefined) return { found: 'Yes', resource: defined };
    const others = ofKind.map((resource) => resource.version).join(', ');
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
