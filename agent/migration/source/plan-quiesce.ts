/**
 * What `spec.quiesce` means now: the workloads that write the claims, whether whoever asked may stop them, and what stands
 * against it. Reads only.
 */
import type { Migration } from '../../../crds/v1alpha1/index.ts';
import { migrations } from '../../../crds/v1alpha1/index.ts';
import { parseKey } from '../../../kube/runtime/key.ts';
import { decideQuiesce, findOtherRest, type QuiesceDecision } from '../../resources/quiesce/decide-quiesce.ts';
import { findWriters, type Owner, type Writer, writingPods } from '../../resources/quiesce/find-writers.ts';
import { writtenClaims } from '../../resources/quiesce/written-claims.ts';
import { refOf, textOfRef } from '../../resources/resource-ref.ts';
import { planStopping } from './requester/plan-access.ts';
import type { SourceServices } from './source-services.ts';

export interface ClaimName {
  readonly namespace: string;
  readonly name: string;
}

export interface QuiescePlan extends QuiesceDecision {
  /** What writes the claims, or would. */
  readonly writers: readonly Writer[];
  /** Another migration that has one of the workloads stopped. */
  readonly waitFor: string | undefined;
}

/** @throws StorkError `RequesterMayNot` naming what whoever asked may not stop */
export async function planQuiesce(
  services: SourceServices,
  migration: Migration,
  claims: readonly ClaimName[],
  signal: AbortSignal,
): Promise<QuiescePlan> {
  const writers: Writer[] = [];
  for (const [namespace, of] of byNamespace(claims))
    writers.push(...(await findWriters(services.client, { namespace, claims: of }, signal)));
  const decision = decideQuiesce(writers);
  const requester = await services.access.requesterOf(migration, signal);
  const wanted = decision.stop.map(({ resource, object }) => ({
    resource,
    namespace: object.metadata.namespace ?? '',
  }));
  await services.access.require(requester, planStopping(wanted), signal);
  return { ...decision, writers, waitFor: await findOther(services, migration, decision.stop, signal) };
}

/** Pods that write the claims now, whatever made them. */
export async function findPods(
  services: SourceServices,
  claims: readonly ClaimName[],
  signal: AbortSignal,
): Promise<readonly { readonly pod: string; readonly claims: readonly string[] }[]> {
  const found: { pod: string; claims: readonly string[] }[] = [];
  for (const [namespace, of] of byNamespace(claims)) {
    const pods = await writingPods(services.client, { namespace, claims: of }, signal);
    for (const { metadata, spec } of pods)
      found.push({
        pod: `pod ${namespace}/${metadata.name}`,
        claims: writtenClaims(spec).map((name) => `${namespace}/${name}`),
      });
  }
  return found;
}

export const describeOwner = ({ object }: Owner): string => textOfRef(refOf(object));

export const parseClaim = (text: string): ClaimName => {
  const [namespace = '', name = ''] = text.split('/');
  return { namespace, name };
};

/** A migration that is gone will not bring back what it stopped: who comes next does that. */
async function findOther(
  { client }: SourceServices,
  migration: Migration,
  owners: readonly Owner[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const other = findOtherRest(owners, migration.metadata.uid ?? '');
  if (other === undefined) return undefined;
  const { namespace, name } = parseKey(other.rest.migration);
  const found = await client.find(migrations, { namespace, name }, { signal });
  return found?.metadata.uid === other.rest.operation ? other.rest.migration : undefined;
}

function byNamespace(claims: readonly ClaimName[]): ReadonlyMap<string, ReadonlySet<string>> {
  const groups = Map.groupBy(claims, ({ namespace }) => namespace);
  return new Map([...groups].map(([namespace, of]) => [namespace, new Set(of.map(({ name }) => name))]));
}
