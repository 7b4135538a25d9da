/** Which kinds a server serves: one aggregated request where it can, else one per group and version. */
import { boolean, type Infer, list, object, parse, string } from '../../crds/schema/index.ts';
import type { ServedResource } from './client.ts';

/** Fetches a path of the server as JSON, asking for this media type. */
export type FetchJson = (path: string, accept: string) => Promise<unknown>;

/** What was discovered is believed for this long. */
export const discoveryFreshMs = 60_000;

const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

export async function discoverResources(fetchJson: FetchJson): Promise<readonly ServedResource[]> {
  const found: ServedResource[] = [];
  for (const root of ['/api', '/apis']) {
    const answer = await fetchJson(root, `${aggregated},application/json`);
    const { kind } = parse(kindOnly, answer);
    if (kind === 'APIGroupDiscoveryList') found.push(...readAggregated(answer));
    else found.push(...(await discoverOneByOne(fetchJson, root, answer)));
  }
  return found;
}

const kindOnly = object({ kind: string() });
const names = list(string());

const aggregatedList = object({
  items: list(
    object({
      metadata: object({ name: string() }),
      versions: list(
        object({
          version: string(),
          freshness: string(),
          resources: list(
            object({
              resource: string(),
              scope: string(),
              verbs: names,
              categories: names,
              responseKind: object({ group: string(), version: string(), kind: string() }),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** A group whose aggregated API server is away ("Stale") is listed all the same, as the server last knew it. */
export function readAggregated(answer: unknown): readonly ServedResource[] {
  const groups = parse(aggregatedList, answer).items ?? [];
  return groups.flatMap((group) =>
    (group.versions ?? []).flatMap((version, at) =>
      (version.resources ?? []).map((one) => ({
        group: group.metadata?.name ?? '',
        version: version.version ?? '',
        plural: one.resource ?? '',
        kind: one.responseKind?.kind ?? '',
        namespaced: one.scope === 'Namespaced',
        verbs: one.verbs ?? [],
        categories: one.categories ?? [],
        preferred: at === 0,
      })),
    ),
  );
}

const groupList = object({
  versions: names,
  groups: list(
    object({
      name: string(),
      preferredVersion: object({ version: string() }),
      versions: list(object({ version: string() })),
    }),
  ),
});

const apiResource = object({ name: string(), kind: string(), namespaced: boolean(), verbs: names, categories: names });
const resourceList = object({ resources: list(apiResource) });

/** For servers before 1.27. */
async function discoverOneByOne(
  fetchJson: FetchJson,
  root: string,
  answer: unknown,
): Promise<readonly ServedResource[]> {
  const { versions = [], groups = [] } = parse(groupList, answer);
  const served = [
    ...versions.map((version, at) => ({ group: '', version, preferred: at === 0 })),
    ...groups.flatMap((group) =>
      (group.versions ?? []).map(({ version = '' }) => ({
        group: group.name ?? '',
        version,
        preferred: version === group.preferredVersion?.version,
      })),
    ),
  ];
  const found: ServedResource[] = [];
  for (const { group, version, preferred } of served) {
    const path = group === '' ? `${root}/${version}` : `${root}/${group}/${version}`;
    const { resources = [] } = parse(resourceList, await fetchJson(path, 'application/json'));
    const whole = resources.filter(({ name }) => name !== undefined && !name.includes('/'));
    found.push(...whole.map((one) => servedResource(one, { group, version, preferred })));
  }
  return found;
}

function servedResource(
  one: Infer<typeof apiResource>,
  place: Pick<ServedResource, 'group' | 'version' | 'preferred'>,
): ServedResource {
  const { name = '', kind = '', namespaced = false, verbs = [], categories = [] } = one;
  return { ...place, plural: name, kind, namespaced, verbs, categories };
}
