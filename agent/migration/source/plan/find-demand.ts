/** What the objects that would be created ask of ResourceQuotas: counts, and the pods of workloads once they run. Pure. */
import type { PlannedObject } from '../../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../../kube/client/client.ts';
import { parseMilli } from '../../../../kube/quantity.ts';
import { at, type Fields, fieldsOf, has, itemsOf, numberOf, textOf } from '../../../resources/fields.ts';
import { storkNames } from '../../../resources/names.ts';
import { podSpecOf } from '../../../resources/pod-spec.ts';
import { refOf } from '../../../resources/resource-ref.ts';
import type { PodTraits } from '../../plan-messages.ts';

export interface NamespaceDemand {
  readonly namespace: string;
  /** As quotas name it. */
  readonly resource: string;
  readonly milli: bigint;
}

/** What pods that scopes count alike ask for. */
export interface PodDemand extends NamespaceDemand {
  readonly pod: PodTraits;
}

export function findDemand(
  objects: readonly AnyObject[],
  planned: readonly PlannedObject[],
): readonly NamespaceDemand[] {
  const created = new Set(planned.filter(({ action }) => action === 'Create').map(keyOf));
  const sums = new Map<string, NamespaceDemand>();
  const add = (namespace: string, resource: string, milli: bigint) => {
    const key = `${namespace} ${resource}`;
    sums.set(key, { namespace, resource, milli: (sums.get(key)?.milli ?? 0n) + milli });
  };
  for (const object of objects) {
    const { namespace } = object.metadata;
    if (namespace === undefined || !created.has(keyOf(refOf(object)))) continue;
    add(namespace, countOf(object), 1000n);
    for (const [resource, milli] of podsOf(object)) add(namespace, resource, milli);
  }
  return [...sums.values()];
}

/** The same of pods only, apart by what the scopes of quotas look at. */
export function findPodDemand(objects: readonly AnyObject[], planned: readonly PlannedObject[]): readonly PodDemand[] {
  const created = new Set(planned.filter(({ action }) => action === 'Create').map(keyOf));
  const sums = new Map<string, PodDemand>();
  for (const object of objects) {
    const { namespace } = object.metadata;
    const spec = podSpecOf(object);
    if (namespace === undefined || spec === undefined || !created.has(keyOf(refOf(object)))) continue;
    const pod = traitsOf(spec);
    for (const [resource, milli] of podsOf(object)) {
      const key = JSON.stringify([namespace, resource, pod]);
      sums.set(key, { namespace, resource, milli: (sums.get(key)?.milli ?? 0n) + milli, pod });
    }
  }
  return [...sums.values()];
}

function traitsOf(spec: Fields): PodTraits {
  const containers = [...itemsOf(spec.initContainers), ...itemsOf(spec.containers)];
  const asks = (container: unknown) =>
    ['requests', 'limits'].some((part) =>
      ['cpu', 'memory'].some((name) => milliOf(at(container, ['resources', part, name])) > 0n),
    );
  const priorityClass = textOf(spec.priorityClassName) ?? '';
  return {
    bestEffort: !containers.some(asks),
    terminating: (numberOf(spec.activeDeadlineSeconds) ?? -1) >= 0,
    ...(priorityClass === '' ? {} : { priorityClass }),
    crossNamespaceAffinity: affinityTerms(spec).some(
      (term) => itemsOf(at(term, ['namespaces'])).length > 0 || has(term, ['namespaceSelector']),
    ),
  };
}

function affinityTerms(spec: Fields): readonly unknown[] {
  return ['podAffinity', 'podAntiAffinity'].flatMap((kind) => {
    const of = at(spec, ['affinity', kind]);
    const preferred = itemsOf(at(of, ['preferredDuringSchedulingIgnoredDuringExecution']));
    return [
      ...itemsOf(at(of, ['requiredDuringSchedulingIgnoredDuringExecution'])),
      ...preferred.map((term) => at(term, ['podAffinityTerm'])),
    ];
  });
}

const keyOf = ({ group = '', kind = '', namespace = '', name = '' }: Partial<PlannedObject>): string =>
  `${group}/${kind}/${namespace}/${name}`;

/** Quotas count by plural; of the kinds that applications consist of it is regular but for these. */
function countOf(object: AnyObject): string {
  const { group, kind } = refOf(object);
  const lower = kind.toLowerCase();
  const plural = lower.endsWith('s')
    ? lower === 'endpoints'
      ? lower
      : `${lower}es`
    : lower.replace(/y$/, 'ie').concat('s');
  return `count/${plural}${group === '' ? '' : `.${group}`}`;
}

function podsOf(object: AnyObject): readonly (readonly [string, bigint])[] {
  const spec = podSpecOf(object);
  const pods = BigInt(replicasOf(object));
  if (spec === undefined || pods === 0n) return [];
  const asked = itemsOf(spec.containers).flatMap((container) =>
    ['requests', 'limits'].flatMap((part) =>
      Object.entries(fieldsOf(at(container, ['resources', part]))).map(
        ([name, value]) => [`${part}.${name}`, milliOf(value) * pods] as const,
      ),
    ),
  );
  return [['pods', pods * 1000n], ...asked];
}

/** Once it runs; what makes pods by nodes or by times is not counted. */
function replicasOf(object: AnyObject): number {
  const recorded = Number(object.metadata.annotations?.[storkNames.migrationReplicas]);
  if (Number.isInteger(recorded)) return recorded;
  return numberOf(at(object, ['spec', 'replicas'])) ?? 0;
}

function milliOf(quantity: unknown): bigint {
  try {
    return parseMilli(String(textOf(quantity) ?? numberOf(quantity) ?? 0));
  } catch {
    // The API server has the last word on it.
    return 0n;
  }
}
