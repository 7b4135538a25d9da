/**
 * The kinds that the cluster serves, those of CRDs straight from them: discovery is cached, and would let a kind that was
 * defined a moment ago be left out without a word.
 */
import type { KubeClient, Resource, ServedResource } from '../../kube/client/client.ts';
import { type CustomResourceDefinition, core } from '../../kube/client/core.ts';
import { isForbidden } from '../../kube/errors.ts';

/** Everything discovery knows, and what CRDs define beyond it; discovery alone for who may not list CRDs. */
export async function listServedKinds(client: KubeClient, signal?: AbortSignal): Promise<readonly ServedResource[]> {
  const served = await client.discover({ signal });
  try {
    const definitions = await Array.fromAsync(client.list(core.customResourceDefinitions, { signal }));
    return joinDefined(served, definitions);
  } catch (error) {
    if (isForbidden(error)) return served;
    throw error;
  }
}

/** Pure. A version that a CRD does not serve any more is gone, whatever discovery remembers. */
export function joinDefined(
  served: readonly ServedResource[],
  definitions: readonly CustomResourceDefinition[],
): readonly ServedResource[] {
  const defined = definitions.filter(isAccepted).flatMap(definedKinds);
  const idOf = ({ group, version, plural }: Resource) => `${group}/${version}/${plural}`;
  const ids = new Set(defined.map(idOf));
  const own = new Set(defined.map(({ group, plural }) => `${group}/${plural}`));
  const known = served.filter((one) => !own.has(`${one.group}/${one.plural}`) || ids.has(idOf(one)));
  const knownIds = new Set(known.map(idOf));
  const added = defined.filter((one) => !knownIds.has(idOf(one)));
  return [...known, ...added.map((one) => ({ ...one, verbs: customVerbs, categories: [], preferred: false }))];
}

/** The verbs of every custom resource. */
const customVerbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];

/** One whose names another CRD has is never served. */
const isAccepted = ({ status }: CustomResourceDefinition): boolean =>
  status?.conditions?.some(({ type, status: state }) => type === 'NamesAccepted' && state === 'False') !== true;

/** One entry per served version, stored versions first. */
function definedKinds({ spec }: CustomResourceDefinition): readonly Resource[] {
  const { plural, kind } = spec.names;
  const versions = spec.versions
    .filter((version) => version.served)
    .toSorted((a, b) => Number(b.storage) - Number(a.storage));
  const namespaced = spec.scope === 'Namespaced';
  return versions.map(({ name }) => ({ group: spec.group, version: name, plural, kind, namespaced }));
}
