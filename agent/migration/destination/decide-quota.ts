/**
 * Whether the ResourceQuotas and LimitRanges of a namespace leave room for what comes into it. Pure. A quota with scopes
 * counts only some pods or claims: it is judged by the pods that it counts, and one that can't be judged is named.
 */
import type { LimitRange, ResourceQuota } from '../../../kube/client/core.ts';
import { parseMilli } from '../../../kube/quantity.ts';
import type { PodTraits } from '../plan-messages.ts';
import { claimScopesOf, countsPod, hasScopes, type PodDefaults } from './quota-scopes.ts';

export interface Demand {
  /** As quotas name it: `requests.storage`, `pods`, `count/deployments.apps`. */
  readonly resource: string;
  /** Thousandths. */
  readonly milli: bigint;
}

/** What pods of one kind ask for. */
export interface PodDemand extends Demand {
  readonly pod: PodTraits;
}

export interface IncomingClaim {
  readonly name: string;
  readonly sizeBytes: bigint;
  readonly storageClass: string | undefined;
}

export interface Exceeded {
  readonly resource: string;
  readonly message: string;
}

/** One for each limit that would be crossed, of quotas that count everything. */
export function findExceeded(quotas: readonly ResourceQuota[], demands: readonly Demand[]): readonly Exceeded[] {
  return quotas.filter((quota) => !hasScopes(quota)).flatMap((quota) => exceededIn(quota, demands));
}

/** The same of quotas that count only some pods; `notJudged`: one sentence for each of which it can't be told. */
export function findScopedExceeded(
  quotas: readonly ResourceQuota[],
  demands: readonly PodDemand[],
  defaults: PodDefaults,
): { readonly exceeded: readonly Exceeded[]; readonly notJudged: readonly string[] } {
  const exceeded: Exceeded[] = [];
  const notJudged: string[] = [];
  for (const quota of quotas.filter(hasScopes)) {
    const [ofClaims] = claimScopesOf(quota);
    if (ofClaims !== undefined) {
      notJudged.push(`${aboutQuota(quota)} was not judged: its scope ${ofClaims} counts only some claims`);
      continue;
    }
    const counted = demands.map((demand) => ({ ...demand, ...countsPod(quota, demand.pod, defaults) }));
    const unknown = counted.find((one) => one.counts === 'Unknown');
    if (unknown?.counts === 'Unknown') notJudged.push(`${aboutQuota(quota)} was not judged: ${unknown.why}`);
    else exceeded.push(...exceededIn(quota, sumUp(counted.filter(({ counts }) => counts === 'Yes'))));
  }
  return { exceeded, notJudged };
}

const aboutQuota = ({ metadata }: ResourceQuota): string => `resourcequota ${metadata.namespace}/${metadata.name}`;

function sumUp(demands: readonly Demand[]): readonly Demand[] {
  const sums = Map.groupBy(demands, ({ resource }) => resource);
  return [...sums].map(([resource, all]) => ({ resource, milli: all.reduce((sum, { milli }) => sum + milli, 0n) }));
}

function exceededIn(quota: ResourceQuota, demands: readonly Demand[]): readonly Exceeded[] {
  const hard = quota.status?.hard ?? quota.spec?.hard ?? {};
  const used = quota.status?.used ?? {};
  return demands.flatMap(({ resource, milli }) => {
    const name = spellings(resource).find((spelling) => hard[spelling] !== undefined);
    if (name === undefined || milli === 0n) return [];
    const [limit = '0', taken = '0'] = [hard[name], used[name]];
    if (parseMilli(taken) + milli <= parseMilli(limit)) return [];
    const needed = `${taken} is used and ${renderDemand(name, milli)} more is needed`;
    return [{ resource, message: `${aboutQuota(quota)} allows ${name} ${limit}, ${needed}` }];
  });
}

/** `cpu` and `memory` are the older names of their requests, and counts of core kinds have two. */
function spellings(resource: string): readonly string[] {
  const older = /^(?:requests\.(cpu|memory)|count\/([a-z]+))$/.exec(resource);
  const name = older?.[1] ?? older?.[2];
  return name === undefined ? [resource] : [resource, name];
}

/** What new claims ask of quotas. */
export function demandOfClaims(claims: readonly IncomingClaim[]): readonly Demand[] {
  const sum = (of: readonly IncomingClaim[]) => of.reduce((total, { sizeBytes }) => total + sizeBytes, 0n) * 1000n;
  const number = (of: readonly IncomingClaim[]) => BigInt(of.length) * 1000n;
  const classes = Map.groupBy(claims, ({ storageClass = '' }) => storageClass);
  return [
    { resource: 'requests.storage', milli: sum(claims) },
    { resource: 'count/persistentvolumeclaims', milli: number(claims) },
    ...[...classes].flatMap(([name, ofClass]) => [
      { resource: `${name}.storageclass.storage.k8s.io/requests.storage`, milli: sum(ofClass) },
      { resource: `${name}.storageclass.storage.k8s.io/persistentvolumeclaims`, milli: number(ofClass) },
    ]),
  ];
}

/** One sentence for each claim that a LimitRange refuses. */
export function findMisfits(ranges: readonly LimitRange[], claims: readonly IncomingClaim[]): readonly string[] {
  return ranges.flatMap(({ metadata, spec }) =>
    (spec?.limits ?? [])
      .filter(({ type }) => type === 'PersistentVolumeClaim')
      .flatMap(({ min, max }) =>
        claims.flatMap(({ name, sizeBytes }) => {
          const [least, most] = [min?.storage, max?.storage];
          const about = `limitrange ${metadata.namespace}/${metadata.name}`;
          if (least !== undefined && sizeBytes * 1000n < parseMilli(least))
            return [`${about} wants claims of at least ${least}, and ${name} has ${sizeBytes} bytes`];
          if (most !== undefined && sizeBytes * 1000n > parseMilli(most))
            return [`${about} wants claims of at most ${most}, and ${name} has ${sizeBytes} bytes`];
          return [];
        }),
      ),
  );
}

/** Storage and memory in the unit that people write, where it comes out even. */
function renderDemand(resource: string, milli: bigint): string {
  const bytes = milli / 1000n;
  const counted = !/(^|\.|\/)(storage|memory|ephemeral-storage)$/.test(resource);
  if (counted || milli % 1000n !== 0n || bytes === 0n) return renderMilli(milli);
  const units = [
    ['Ti', 40n],
    ['Gi', 30n],
    ['Mi', 20n],
    ['Ki', 10n],
  ] as const;
  const unit = units.find(([, shift]) => bytes % (1n << shift) === 0n);
  return unit === undefined ? String(bytes) : `${bytes >> unit[1]}${unit[0]}`;
}

function renderMilli(milli: bigint): string {
  return milli % 1000n === 0n ? String(milli / 1000n) : `${milli}m`;
}
