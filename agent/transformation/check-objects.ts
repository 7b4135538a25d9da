/**
 * What a transformation makes of the objects in its namespace: each is rewritten as for a migration, transformed, and
 * created as a server-side dry run under another name, so that the API server judges it without keeping anything.
 */
import type { AnyObject, KubeClient, Resource } from '../../kube/client/client.ts';
import { isForbidden, renderError, StorkError } from '../../kube/errors.ts';
import { mapLimit } from '../../kube/runtime/map-limit.ts';
import { type CollectFacts, whySkipped } from '../resources/collect/decide-collect.ts';
import { listServedKinds } from '../resources/defined-kinds.ts';
import { at, fieldsOf, itemsOf, mapItems, setMeta, withoutField } from '../resources/fields.ts';
import { fieldManagers } from '../resources/names.ts';
import { groupKindOf, type ResourceRef, refOf } from '../resources/resource-ref.ts';
import { transformObject } from '../resources/transform/transform-object.ts';
import type { TransformRule } from '../resources/transformation/parse-transformation.ts';
import { isMeant, transformByRules } from '../resources/transformation/transform-by-rules.ts';

export interface CheckedObject {
  readonly ref: ResourceRef;
  /** `Unproven`: it fits, but the API server was not asked, as the reason says. */
  readonly result: 'Fits' | 'Unproven' | 'NotFit';
  readonly reason: string;
}

export interface CheckedTransformation {
  readonly objects: readonly CheckedObject[];
  /** What is wrong with the transformation whatever the objects. */
  readonly problems: readonly string[];
  /** Objects that match beyond the number that is tried. */
  readonly notTried: number;
}

export interface CheckRequest {
  readonly name: string;
  readonly namespace: string;
  readonly rules: readonly TransformRule[];
}

const limits = { parallelTries: 8, maxTries: 500 } as const;

export async function checkObjects(
  clients: { readonly reading: KubeClient; readonly trying: KubeClient },
  request: CheckRequest,
  signal?: AbortSignal,
): Promise<CheckedTransformation> {
  const found = await findObjects(clients.reading, request, signal);
  const tried = found.objects.slice(0, limits.maxTries);
  const check = ({ object, resource }: Matching, stop: AbortSignal) =>
    checkObject(clients.trying, { object, resource, request }, stop);
  const checked = await mapLimit(tried, limits.parallelTries, check, signal);
  return {
    objects: [...found.unread, ...checked],
    problems: found.problems,
    notTried: found.objects.length - tried.length,
  };
}

interface Matching {
  readonly object: AnyObject;
  readonly resource: Resource;
}

async function findObjects(client: KubeClient, { namespace, rules }: CheckRequest, signal?: AbortSignal) {
  const served = await listServedKinds(client, signal);
  const objects: Matching[] = [];
  const unread: CheckedObject[] = [];
  const problems: string[] = [];
  for (const name of new Set(rules.map(({ kind, version }) => `${kind} ${version}`))) {
    const [kind = '', version = ''] = name.split(' ');
    const resource = served.find(
      (one) => `${one.group}/${one.kind}` === kind && one.version === version && !one.plural.includes('/'),
    );
    if (resource === undefined) {
      problems.push(`this cluster serves no ${kind.replace('/', `/${version}/`)}`);
      continue;
    }
    if (!resource.namespaced) continue;
    const meant = rules.filter((rule) => rule.kind === kind && rule.version === version);
    try {
      for await (const object of client.list<AnyObject>(resource, { namespace, signal })) {
        const mayTravel = whySkipped(object, anyMigration) === undefined;
        if (mayTravel && meant.some((rule) => isMeant(rule, object))) objects.push({ object, resource });
      }
    } catch (error) {
      if (!isForbidden(error)) throw error;
      const { group, kind: kindName } = resource;
      const ref = { group, version, kind: kindName, namespace, name: '*' };
      unread.push({ ref, result: 'Unproven', reason: `not tried: ${renderError(error)}` });
    }
  }
  return { objects, unread, problems };
}

/**
 * What some migration would take along. A kube-root-ca.crt, which every cluster makes itself, must not fail a rule that is
 * meant for the namespace's own ConfigMaps.
 */
const anyMigration: CollectFacts = {
  selectors: {},
  excludeSelectors: {},
  ownerCheck: 'Ignore',
  networkPoliciesWithCidr: 'Include',
  listedUids: new Set(),
  headlessServices: new Set(),
};

async function checkObject(
  client: KubeClient,
  { object, resource, request }: Matching & { readonly request: CheckRequest },
  signal: AbortSignal,
): Promise<CheckedObject> {
  const ref = refOf(object);
  const context = {
    pairId: 'check',
    namespaces: [request.namespace],
    serviceAddresses: 'Clear',
    registrations: [],
  } as const;
  const outcome = transformByRules(transformObject(object, context), request);
  if (outcome.did === 'Nothing') return { ref, result: 'Fits', reason: '' };
  if (outcome.did === 'NotFit') return { ref, result: 'NotFit', reason: outcome.reason };
  try {
    const options = { fieldManager: fieldManagers.resources, dryRun: 'All', signal } as const;
    await client.create(resource, asStranger(outcome.object, object), options);
    return { ref, result: 'Fits', reason: '' };
  } catch (error) {
    if (isForbidden(error)) return { ref, result: 'Unproven', reason: `not tried: ${renderError(error)}` };
    if (!(error instanceof StorkError) || error.retryable) throw error;
    return { ref, result: 'NotFit', reason: `the API server would not accept it: ${renderError(error)}` };
  }
}

/** A new object beside the original: what only one object of a cluster may have is left out where it was not transformed. */
function asStranger(transformed: AnyObject, original: AnyObject): AnyObject {
  const name = `stork-check-${(original.metadata.uid ?? original.metadata.name).slice(0, 8)}`;
  const renamed = setMeta(transformed, { ...transformed.metadata, name });
  if (groupKindOf(original) !== '/Service') return renamed;
  const taken = new Set(itemsOf(at(original, ['spec', 'ports'])).map((port) => fieldsOf(port).nodePort));
  return mapItems(renamed, ['spec', 'ports'], (port) =>
    taken.has(port.nodePort) ? withoutField(port, ['nodePort']) : port,
  );
}
