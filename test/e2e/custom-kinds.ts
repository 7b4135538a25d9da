/** Kinds of operators as tests need them: CustomResourceDefinitions with a real schema, and what lets Stork move them. */
import { expectSuccess } from '../demo/pairing.ts';
import type { Bed } from './bed.ts';
import { eventually } from './bed.ts';

export interface CustomKind {
  readonly group: string;
  readonly kind: string;
  /** Plain and lower-case: `widgets`. */
  readonly plural: string;
  /** The first is stored. */
  readonly versions: readonly string[];
  /** Properties of `spec`, as an OpenAPI schema. */
  readonly spec: Readonly<Record<string, unknown>>;
  readonly statusSubresource?: 'Yes' | undefined;
}

/** YAML (JSON) of the CRD; all versions have the same schema. */
export function definitionOf(kind: CustomKind): string {
  const text = { type: 'string' };
  const status = { type: 'object', properties: { phase: text, pods: { type: 'array', items: text } } };
  const schema = {
    type: 'object',
    properties: { spec: { type: 'object', properties: kind.spec }, status },
  };
  return JSON.stringify({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${kind.group}` },
    spec: {
      group: kind.group,
      scope: 'Namespaced',
      names: { plural: kind.plural, singular: kind.kind.toLowerCase(), kind: kind.kind },
      versions: kind.versions.map((name, at) => ({
        ...{ name, served: true, storage: at === 0, schema: { openAPIV3Schema: schema } },
        ...(kind.statusSubresource === 'Yes' ? { subresources: { status: {} } } : {}),
      })),
    },
  });
}

/** The labelled ClusterRole by which, without `allow kinds`, an admin lets Stork read, stop, start and write the kinds (docs/registrations.md). */
export function operatorRights(name: string, kinds: readonly CustomKind[]): string {
  return JSON.stringify({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: {
      name,
      labels: {
        'stork.libopenstorage.org/aggregate-to-agent': 'true',
        'stork.libopenstorage.org/aggregate-to-peer': 'true',
      },
    },
    rules: [
      {
        apiGroups: [...new Set(kinds.map(({ group }) => group))],
        resources: kinds.map(({ plural }) => plural),
        verbs: ['get', 'list', 'watch', 'create', 'patch', 'update', 'delete'],
      },
    ],
  });
}

/** Applies the kinds that a side shall have, and the rights on both; resolves when they are served and the rights hold. */
export async function serveKinds(
  { a, b }: Bed,
  name: string,
  kinds: { readonly a: readonly CustomKind[]; readonly b: readonly CustomKind[] },
): Promise<void> {
  for (const [side, served] of [
    [a, kinds.a],
    [b, kinds.b],
  ] as const) {
    for (const kind of served) await side.apply(definitionOf(kind));
    const names = served.map(({ plural, group }) => `${plural}.${group}`);
    for (const kind of names)
      await side.kubectl(['wait', '--for=condition=Established', '--timeout=180s', `crd/${kind}`]);
    expectSuccess(await side.stork(['allow', 'kinds', ...names]));
    // What is only on the other side can't be named here yet: rights that an admin writes by hand.
    const absent = [...kinds.a, ...kinds.b].filter(({ plural, group }) => !names.includes(`${plural}.${group}`));
    if (absent.length > 0) await side.apply(operatorRights(name, absent));
    for (const role of ['stork-agent-extra', 'stork-peer-extra']) {
      await eventually(`ClusterRole ${role} took the rights up`, async () => {
        const { rules } = await side.get<{ rules?: readonly { apiGroups: readonly string[] }[] }>([
          'clusterrole',
          role,
        ]);
        const group = kinds.a[0]?.group ?? '';
        return rules?.some(({ apiGroups }) => apiGroups.includes(group)) === true ? true : undefined;
      });
    }
  }
}

/** Removes them, with all their objects, on both sides. */
export async function removeKinds({ a, b }: Bed, name: string, kinds: readonly CustomKind[]): Promise<void> {
  const definitions = kinds.map(({ plural, group }) => `crd/${plural}.${group}`);
  for (const side of [a, b]) {
    await side.kubectl(['delete', ...definitions, '--ignore-not-found', '--wait', '--timeout=180s']);
    const roles = [name, 'stork-agent-kinds', 'stork-peer-kinds'];
    await side.kubectl(['delete', 'clusterrole', ...roles, '--ignore-not-found']);
  }
}
