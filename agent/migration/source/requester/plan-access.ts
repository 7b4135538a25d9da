/**
 * What whoever asked for a migration must be allowed to do themselves, so that the agent may do it for them. Pure.
 */
import type { AnyResource } from '../../../../kube/client/client.ts';
import type { AccessQuestion } from '../../../requester/access-question.ts';

export interface WantedAccess {
  /** ClusterPairs that are used, `namespace/name`. */
  readonly pairs: readonly string[];
  readonly namespaces: readonly string[];
  readonly volumes: 'Travel' | 'Stay';
  readonly rules: 'Run' | 'None';
}

export function planAccess({ pairs, namespaces, volumes, rules }: WantedAccess): readonly AccessQuestion[] {
  return [
    ...pairs.map(usePair),
    ...namespaces.flatMap((namespace) => [
      ...(volumes === 'Travel' ? readVolumes(namespace) : []),
      ...(rules === 'Run' ? [runCommands(namespace)] : []),
    ]),
  ];
}

/** `use` is a verb of our own: who shares a pair needs no more rights on it than that. */
function usePair(pair: string): AccessQuestion {
  const [namespace = '', name = ''] = pair.split('/');
  return { verb: 'use', group: 'stork.libopenstorage.org', resource: 'clusterpairs', namespace, name };
}

/** Seeing a claim is not reading its volume: that takes a pod which mounts it. */
const readVolumes = (namespace: string): readonly AccessQuestion[] => [
  ...['get', 'list'].map((verb) => ({ verb, group: '', resource: 'persistentvolumeclaims', namespace })),
  { verb: 'create', group: '', resource: 'pods', namespace },
];

const runCommands = (namespace: string): AccessQuestion => ({
  ...{ verb: 'create', group: '', resource: 'pods', subresource: 'exec' },
  namespace,
});

/** Stopping a workload, and bringing it back, is changing it. */
export const planStopping = (
  workloads: readonly { readonly resource: Pick<AnyResource, 'group' | 'plural'>; readonly namespace: string }[],
): readonly AccessQuestion[] =>
  workloads.map(({ resource: { group, plural }, namespace }) => ({
    verb: 'patch',
    group,
    resource: plural,
    namespace,
  }));

/** Who may label a namespace decides which pods Pod Security admits there. */
export const relabel = (namespace: string): AccessQuestion => ({
  ...{ verb: 'patch', group: '', resource: 'namespaces', namespace, name: namespace },
});

/** One kind of what travels, and where it was found. */
export interface TravellingKind {
  readonly resource: Pick<AnyResource, 'group' | 'plural' | 'kind' | 'namespaced'>;
  readonly namespace: string | undefined;
  readonly name: string;
}

/**
 * Reading what travels. Cluster-scoped objects by name. A CustomResourceDefinition is asked of nobody: every user reads
 * its schema in the API server's discovery.
 */
export function planReading(travelling: readonly TravellingKind[]): readonly AccessQuestion[] {
  return travelling.flatMap(({ resource, namespace, name }): readonly AccessQuestion[] => {
    const { group, plural, kind, namespaced } = resource;
    if (kind === 'CustomResourceDefinition') return [];
    if (namespaced) return ['get', 'list'].map((verb) => ({ verb, group, resource: plural, namespace }));
    // A Role in a namespace covers the Namespace object itself.
    const inside = group === '' && kind === 'Namespace' ? name : undefined;
    return [{ verb: 'get', group, resource: plural, namespace: inside, name }];
  });
}
