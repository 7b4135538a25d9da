/**
 * Reads everything of some namespaces that a migration takes along: the objects themselves, the cluster-scoped ones they
 * use, the CRDs of their custom resources; claims and volumes apart, since the volume flow makes those. Read only.
 *
 * A kind that may not be listed is told in `unreadable`, never silently left out. The listing is not one point in time:
 * each object is as it was when its page was read.
 */
import { allowKindsCommand } from '../../../crds/custom-kinds.ts';
import type { RegisteredResource } from '../../../crds/v1alpha1/index.ts';
import type { AnyObject, KubeClient, KubeObject, Resource, ServedResource } from '../../../kube/client/client.ts';
import { core, type Namespace, type PersistentVolume, type PersistentVolumeClaim } from '../../../kube/client/core.ts';
import { isForbidden, StorkError } from '../../../kube/errors.ts';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import { joinDefined } from '../defined-kinds.ts';
import { at } from '../fields.ts';
import { type GroupKind, groupKindOf, type ResourceRef, refOf } from '../resource-ref.ts';
import { type CollectFacts, whyNotChosen, whySkipped } from './decide-collect.ts';
import { isBindingOf, isRelated, readRelations } from './decide-related.ts';
import { chooseKinds, type PeerVersions } from './kinds.ts';

export interface CollectRequest {
  readonly namespaces: readonly string[];
  readonly selectors?: Readonly<Record<string, string>> | undefined;
  readonly excludeSelectors?: Readonly<Record<string, string>> | undefined;
  readonly includeOptionalResourceTypes?: readonly string[] | undefined;
  readonly excludeResourceTypes?: readonly string[] | undefined;
  readonly ignoreOwnerReferencesCheck?: boolean | undefined;
  readonly includeNetworkPolicyWithCIDR?: boolean | undefined;
  readonly registrations: readonly RegisteredResource[];
  /** What the destination serves; absent: unknown. */
  readonly peerVersions?: PeerVersions | undefined;
}

export interface Collected {
  /** Namespaces, CRDs and everything else but claims and volumes, as read. */
  readonly objects: readonly AnyObject[];
  readonly claims: readonly PersistentVolumeClaim[];
  /** The volumes that those claims are bound to. */
  readonly volumes: readonly PersistentVolume[];
  readonly skipped: readonly SkippedObject[];
  /** The namespaced kinds that were listed, whether there is any object of them or not. */
  readonly kinds: readonly CollectedKind[];
  readonly unreadable: readonly UnreadableKind[];
}

export interface SkippedObject {
  readonly ref: ResourceRef;
  readonly reason: string;
}

export interface CollectedKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** A kind that the agent may not list. */
export interface UnreadableKind extends CollectedKind {
  /** `plural.group`: what an admin gives rights on, and what `excludeResourceTypes` takes. */
  readonly resource: string;
  readonly reason: string;
}

export interface CollectLimits {
  /** Lists at the same time. */
  readonly parallelLists: number;
  readonly maxObjects: number;
}

export const collectLimits: CollectLimits = { parallelLists: 4, maxObjects: 50_000 };

export interface CollectParts {
  readonly client: KubeClient;
  readonly limits?: CollectLimits | undefined;
}

/** Throws `TooManyObjects` beyond the limit, and what the client throws for anything but Forbidden. */
export async function collectResources(
  parts: CollectParts,
  request: CollectRequest,
  signal?: AbortSignal,
): Promise<Collected> {
  const reader = createReader(parts, signal);
  const definitions = await reader.listAll(core.customResourceDefinitions, undefined);
  const crds = definitions.map(asAnyObject);
  const kinds = chooseKinds({
    served: joinDefined(await parts.client.discover({ signal }), definitions),
    peerVersions: request.peerVersions,
    customKinds: new Set(crds.map((crd) => `${at(crd, ['spec', 'group'])}/${at(crd, ['spec', 'names', 'kind'])}`)),
    registeredKinds: new Set(request.registrations.map(({ group, kind }) => `${group}/${kind}`)),
    includeOptionalResourceTypes: request.includeOptionalResourceTypes ?? [],
    excludeResourceTypes: request.excludeResourceTypes ?? [],
  });
  const namespaces = await readNamespaces(parts.client, request.namespaces, signal);
  const present = namespaces.map(({ metadata }) => metadata.name);
  const listed = await reader.listIn(kinds.namespaced, present);
  const facts = factsOf(request, listed);
  const { taken, skipped } = sift(listed, (object) => whySkipped(object, facts));
  const found = await readRelated(reader, kinds.related, present, { taken, listed });
  const related = sift(found, (object) => whyNotChosen(object, facts));
  const usedKinds = new Set(taken.map(groupKindOf));
  const claims = await reader.listIn<PersistentVolumeClaim>([core.persistentVolumeClaims], present);
  return {
    objects: [...namespaces.map(asAnyObject), ...crdsOf(crds, usedKinds), ...related.taken, ...taken],
    claims,
    volumes: await readVolumes(parts, claims, signal),
    skipped: [...skipped, ...related.skipped],
    kinds: kinds.namespaced.map(({ group, version, kind }) => ({ group, version, kind })),
    unreadable: reader.unreadable(),
  };
}

interface Reader {
  listAll<T extends KubeObject>(resource: Resource<T>, namespace: string | undefined): Promise<readonly T[]>;
  listIn<T extends KubeObject = AnyObject>(
    resources: readonly Resource<T>[],
    namespaces: readonly string[],
  ): Promise<readonly T[]>;
  unreadable(): readonly UnreadableKind[];
}

function createReader(parts: CollectParts, signal: AbortSignal | undefined): Reader {
  const { client } = parts;
  const { parallelLists, maxObjects } = parts.limits ?? collectLimits;
  const refused = new Map<GroupKind, UnreadableKind>();
  let count = 0;
  const listAll = async <T extends KubeObject>(resource: Resource<T>, namespace: string | undefined, stop = signal) => {
    const objects: T[] = [];
    try {
      for await (const object of client.list(resource, { namespace, signal: stop })) {
        count += 1;
        if (count > maxObjects) throw tooManyObjects(maxObjects);
        objects.push(object);
      }
    } catch (error) {
      if (!isForbidden(error)) throw error;
      const { group, version, kind, plural } = resource;
      const wanted = group === '' ? plural : `${plural}.${group}`;
      refused.set(`${group}/${kind}`, {
        group,
        version,
        kind,
        resource: wanted,
        reason: `stork-agent may not list it; let it (${allowKindsCommand} ${wanted}), or leave the kind out (spec.excludeResourceTypes)`,
      });
    }
    return objects;
  };
  return {
    listAll,
    async listIn(resources, namespaces) {
      const lists = namespaces.flatMap((namespace) => resources.map((resource) => ({ namespace, resource })));
      const pages = await mapLimit(
        lists,
        parallelLists,
        ({ namespace, resource }, stop) => listAll(resource, namespace, stop),
        signal,
      );
      return pages.flat();
    },
    unreadable: () => [...refused.values()],
  };
}

/** The namespaces that exist; a Migration that insists on all of them has looked before. */
async function readNamespaces(client: KubeClient, names: readonly string[], signal?: AbortSignal) {
  const found: Namespace[] = [];
  for (const name of names) {
    const namespace = await client.find(core.namespaces, { name }, { signal });
    if (namespace !== undefined) found.push(namespace);
  }
  return found;
}

function factsOf(request: CollectRequest, listed: readonly AnyObject[]): CollectFacts {
  return {
    selectors: request.selectors ?? {},
    excludeSelectors: request.excludeSelectors ?? {},
    ownerCheck: request.ignoreOwnerReferencesCheck === true ? 'Ignore' : 'Check',
    networkPoliciesWithCidr: request.includeNetworkPolicyWithCIDR === true ? 'Include' : 'Skip',
    listedUids: new Set(listed.map(({ metadata }) => metadata.uid ?? '')),
    headlessServices: headlessServices(listed),
  };
}

function sift(objects: readonly AnyObject[], whyNot: (object: AnyObject) => string | undefined) {
  const taken: AnyObject[] = [];
  const skipped: SkippedObject[] = [];
  for (const object of objects) {
    const reason = whyNot(object);
    if (reason === undefined) taken.push(object);
    else skipped.push({ ref: refOf(object), reason });
  }
  return { taken, skipped };
}

const headlessServices = (listed: readonly AnyObject[]): ReadonlySet<string> =>
  new Set(
    listed
      .filter((object) => groupKindOf(object) === '/Service' && at(object, ['spec', 'clusterIP']) === 'None')
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
  );

async function readRelated(
  reader: Reader,
  kinds: readonly ServedResource[],
  namespaces: readonly string[],
  objects: { readonly taken: readonly AnyObject[]; readonly listed: readonly AnyObject[] },
): Promise<readonly AnyObject[]> {
  const isBinding = (kind: ServedResource) => kind.kind === 'ClusterRoleBinding';
  const first = readRelations(namespaces, objects.listed, []);
  const bindings: AnyObject[] = [];
  for (const kind of kinds.filter(isBinding)) {
    bindings.push(...(await reader.listAll<AnyObject>(kind, undefined)).filter((object) => isBindingOf(object, first)));
  }
  const relations = readRelations(namespaces, objects.taken, bindings);
  const others: AnyObject[] = [];
  for (const kind of kinds.filter((candidate) => !isBinding(candidate))) {
    const all = await reader.listAll<AnyObject>(kind, undefined);
    others.push(...all.filter((object) => isRelated(object, relations)));
  }
  return [...others, ...bindings];
}

/** The CRDs of the custom resources that travel, and those of the same groups: operators use them together. */
function crdsOf(crds: readonly AnyObject[], usedKinds: ReadonlySet<GroupKind>): readonly AnyObject[] {
  const kindOf = (crd: AnyObject): GroupKind => `${at(crd, ['spec', 'group'])}/${at(crd, ['spec', 'names', 'kind'])}`;
  const groups = new Set(crds.filter((crd) => usedKinds.has(kindOf(crd))).map((crd) => at(crd, ['spec', 'group'])));
  return crds.filter((crd) => groups.has(at(crd, ['spec', 'group'])));
}

async function readVolumes(
  parts: CollectParts,
  claims: readonly PersistentVolumeClaim[],
  signal?: AbortSignal,
): Promise<readonly PersistentVolume[]> {
  const names = claims.map((claim) => claim.spec?.volumeName).filter((name) => name !== undefined && name !== '');
  const limit = (parts.limits ?? collectLimits).parallelLists;
  const volumes = await mapLimit(
    names,
    limit,
    (name, stop) => parts.client.find(core.persistentVolumes, { name: name ?? '' }, { signal: stop }),
    signal,
  );
  return volumes.filter((volume) => volume !== undefined);
}

/** A built-in kind seen as any object: the same value, with its other fields open to be read by name. */
const asAnyObject = (object: KubeObject): AnyObject => ({ ...object });

const tooManyObjects = (limit: number) =>
  new StorkError({
    code: 'TooManyObjects',
    message: `The namespaces hold more than ${limit} objects`,
    hint: 'Migrate fewer namespaces at once, or narrow selectors or excludeResourceTypes.',
  });
