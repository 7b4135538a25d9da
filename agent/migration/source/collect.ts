/** What a migration's spec selects, ready for the destination: collected, rewritten, in waves. Volumes' objects aside. */
import type { Migration, RegisteredResource } from '../../../crds/v1alpha1/index.ts';
import type { AnyObject, KubeClient } from '../../../kube/client/client.ts';
import { type Collected as CollectedResources, collectResources } from '../../resources/collect/collect-resources.ts';
import { findArgoCd, findGitOpsOwner } from '../../resources/gitops.ts';
import { orderObjects } from '../../resources/order-objects.ts';
import { listRegistrations } from '../../resources/registrations/list-registrations.ts';
import { findRegistration } from '../../resources/registrations/suspend-options.ts';
import { groupKindOf, type ResourceRef, refOf } from '../../resources/resource-ref.ts';
import { stashObject } from '../../resources/stash/stash-object.ts';
import { transformObject } from '../../resources/transform/transform-object.ts';
import {
  getTransformer,
  type TransformationRequest,
  type Transformer,
} from '../../resources/transformation/find-transformations.ts';
import { takesClaims } from './gather-volumes.ts';
import type { CollectContext, Collected, PresentKind } from './source-services.ts';

export async function collectMigration(
  client: KubeClient,
  migration: Migration,
  context: CollectContext,
  signal?: AbortSignal,
): Promise<Collected> {
  const { spec } = migration;
  const { namespaces, pairId, peerVersions } = context;
  const registrations = await listRegistrations(client, signal);
  const transform = await getTransformer(client, transformationOf(migration, namespaces), signal);
  const collected = await collectResources(
    { client },
    {
      namespaces,
      selectors: spec.selectors,
      excludeSelectors: spec.excludeSelectors,
      includeOptionalResourceTypes: spec.includeOptionalResourceTypes,
      excludeResourceTypes: spec.excludeResourceTypes,
      ignoreOwnerReferencesCheck: spec.ignoreOwnerReferencesCheck,
      includeNetworkPolicyWithCIDR: spec.includeNetworkPolicyWithCIDR,
      registrations,
      peerVersions,
    },
    signal,
  );
  const argoCd = findArgoCd(await client.discover({ signal }));
  const serviceAddresses = spec.skipServiceUpdate ? 'Keep' : 'Clear';
  const rewritten = collected.objects.map((object) =>
    transformObject(object, {
      pairId: isClusterScoped(object) ? (context.adminPairId ?? pairId) : pairId,
      namespaces,
      serviceAddresses,
      registrations,
    }),
  );
  const { objects, misfits } = transformAll(rewritten, transform);
  const sent = spec.startApplications ? objects : objects.map((object) => stashedAs(object, registrations));
  return {
    unreadable: collected.unreadable,
    misfits,
    managed: collected.objects.flatMap((object) => {
      const by = findGitOpsOwner(object, argoCd);
      return by === undefined ? [] : [{ ref: refOf(object), by }];
    }),
    waves: orderObjects(sent),
    present: presentKinds(collected, { spec, sent }),
    namespaces: Object.fromEntries(
      namespacesOf(collected).map(({ name, creationTimestamp = '' }) => [name, creationTimestamp]),
    ),
    skipped: [
      ...collected.skipped.map(({ ref, reason }) => ({
        kind: ref.kind,
        namespace: ref.namespace,
        name: ref.name,
        reason,
      })),
    ],
  };
}

/** Namespaces come with what is in them. */
export const isClusterScoped = (object: AnyObject): boolean =>
  object.metadata.namespace === undefined && groupKindOf(object) !== '/Namespace';

/** Which ResourceTransformation the migration of these namespaces asks for. */
export function transformationOf({ metadata, spec }: Migration, namespaces: readonly string[]): TransformationRequest {
  return { name: spec.transformSpecs?.[0], home: metadata.namespace ?? '', namespaces };
}

/** An object that its ResourceTransformation does not fit stays here, and is told. */
function transformAll(rewritten: readonly AnyObject[], transform: Transformer) {
  const objects: AnyObject[] = [];
  const misfits: { readonly ref: ResourceRef; readonly reason: string }[] = [];
  for (const object of rewritten) {
    const outcome = transform(object);
    switch (outcome.did) {
      case 'Nothing':
        objects.push(object);
        break;
      case 'Transform':
        objects.push(outcome.object);
        break;
      case 'NotFit':
        misfits.push({ ref: refOf(object), reason: outcome.reason });
        break;
      default:
        outcome satisfies never;
    }
  }
  return { objects, misfits };
}

/** The object, or what holds it until it is activated, if its registration says so. */
function stashedAs(object: AnyObject, registrations: readonly RegisteredResource[]): AnyObject {
  const strategy = findRegistration(object, registrations)?.stashStrategy;
  return strategy?.stashCR === true && object.metadata.namespace !== undefined ? stashObject(object) : object;
}

/**
 * Objects left out on purpose are there all the same; claims count where volumes travel; what is sent counts under the
 * name it has over there, too.
 */
function presentKinds(
  collected: CollectedResources,
  { spec, sent }: { readonly spec: Migration['spec']; readonly sent: readonly AnyObject[] },
): readonly PresentKind[] {
  const claims = { group: '', version: 'v1', kind: 'PersistentVolumeClaim' };
  const kinds = [...collected.kinds, ...(takesClaims(spec) ? [claims] : [])];
  const all = [...collected.objects, ...collected.claims, ...sent]
    .map(refOf)
    .concat(collected.skipped.map(({ ref }) => ref));
  const names = Map.groupBy(all, ({ group, kind, namespace }) => `${group}/${kind} ${namespace}`);
  return namespacesOf(collected).flatMap(({ name: namespace }) =>
    kinds.map((kind) => ({
      ...kind,
      namespace,
      names: [...new Set((names.get(`${kind.group}/${kind.kind} ${namespace}`) ?? []).map(({ name }) => name))],
    })),
  );
}

const namespacesOf = ({ objects }: CollectedResources) =>
  objects.filter((object) => groupKindOf(object) === '/Namespace').map(({ metadata }) => metadata);
