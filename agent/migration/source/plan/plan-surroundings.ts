/** What the applications need around them on the destination, and what there would look at them. */
import type { Migration, PlannedObject } from '../../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../../kube/client/client.ts';
import type { StageContext } from '../../../../kube/runtime/machine.ts';
import type { Peer } from '../../../peer/peer.ts';
import { whyPrivileged } from '../../../resources/pod-security.ts';
import { podSpecOf } from '../../../resources/pod-spec.ts';
import { refOf, textOfRef } from '../../../resources/resource-ref.ts';
import { type ClaimAnswer, paths } from '../../messages.ts';
import { maxAsked, type SurroundingsRequest, surroundingsAnswerSchema } from '../../plan-messages.ts';
import { type SourceServices, sourceLimits } from '../source-services.ts';
import { findDemand, findPodDemand } from './find-demand.ts';
import { findImages } from './find-images.ts';
import { findReferences } from './find-references.ts';
import type { ObjectsPlan } from './plan-objects.ts';

export interface SurroundingsPlan {
  readonly missing: readonly string[];
  readonly warnings: readonly string[];
  /** Of the warnings, those for which objects would be refused, though each alone is accepted. */
  readonly crowded: readonly string[];
  readonly webhooks: readonly string[];
  readonly images: readonly string[];
}

export const noSurroundings: SurroundingsPlan = { missing: [], warnings: [], crowded: [], webhooks: [], images: [] };

export async function planSurroundings(
  services: SourceServices,
  { object: migration, signal }: StageContext<Migration>,
  of: {
    readonly peer: Peer;
    readonly namespaces: readonly string[];
    readonly claims: readonly ClaimAnswer[];
    readonly sent: ObjectsPlan;
    /** What else a person should know: who keeps what in line with Git, what could not be read. */
    readonly notices: readonly (string | undefined)[];
  },
): Promise<SurroundingsPlan> {
  const { peer, namespaces, sent } = of;
  const references = findReferences(
    sent.objects,
    sent.planned.filter(({ action }) => action === 'Fail'),
  );
  const path = paths.planSurroundings(migration.metadata.uid ?? '');
  const body: SurroundingsRequest = {
    namespaces: namespaces.map((name) => ({ name, labels: labelsOf(sent.objects, name) })),
    references: references.map(({ kind, name }) => ({ kind, name })).slice(0, maxAsked),
    kinds: kindsOf(sent.planned).slice(0, maxAsked),
    demands: findDemand(sent.objects, sent.planned)
      .map((demand) => ({ ...demand, milli: String(demand.milli) }))
      .slice(0, maxAsked),
    podDemands: findPodDemand(sent.objects, sent.planned)
      .map((demand) => ({ ...demand, milli: String(demand.milli) }))
      .slice(0, maxAsked),
    privileged: findPrivileged(sent.objects).slice(0, maxAsked),
  };
  const answer = await peer.request({
    ...{ method: 'POST', path, body, answer: surroundingsAnswerSchema },
    signal,
    deadlineMs: sourceLimits.longAnswerMs,
  });
  const absent = new Set(answer.missing.map(({ kind, name }) => `${kind}/${name}`));
  const missing = references.filter(({ kind, name }) => absent.has(`${kind}/${name}`));
  return {
    missing: [
      ...of.claims.filter(({ code }) => code === 'StorageClassMissing').map(({ message = '' }) => message),
      ...missing.map(({ kind, name, neededBy }) => `${kind} ${name} of ${neededBy} does not exist on ${peer.cluster}`),
      ...missingKinds(sent.planned, peer.cluster),
    ],
    warnings: [
      ...answer.quotas.map(({ message }) => `On ${peer.cluster} ${message}`),
      ...(answer.notAdmitted ?? []).map((sentence) => `On ${peer.cluster} ${sentence}`),
      ...(answer.notJudged ?? []).map((sentence) => `On ${peer.cluster} ${sentence}`),
      ...of.notices.filter((notice) => notice !== undefined),
    ],
    crowded: answer.quotas.filter(({ resource }) => resource.startsWith('count/')).map(({ message }) => message),
    webhooks: answer.webhooks,
    images: await findImages(services.client, { objects: sent.objects, namespaces }, signal),
  };
}

function findPrivileged(objects: readonly AnyObject[]): NonNullable<SurroundingsRequest['privileged']> {
  return objects.flatMap((object) => {
    const { namespace } = object.metadata;
    const pod = podSpecOf(object);
    const why = pod === undefined ? undefined : whyPrivileged(pod)?.slice(0, 512);
    return why === undefined || namespace === undefined
      ? []
      : [{ namespace, object: textOfRef(refOf(object)).slice(0, 317), why }];
  });
}

/** Those that the Namespace would bring. */
function labelsOf(objects: readonly AnyObject[], namespace: string): Readonly<Record<string, string>> | undefined {
  return objects.find(({ kind, metadata }) => kind === 'Namespace' && metadata.name === namespace)?.metadata.labels;
}

function kindsOf(planned: readonly PlannedObject[]): SurroundingsRequest['kinds'] {
  const written = planned.filter(({ action }) => action === 'Create' || action === 'Update');
  const groups = Map.groupBy(written, ({ group, kind, namespace }) => `${group}/${kind}/${namespace}`);
  return [...groups.values()].flatMap((ofKind) => {
    const [first] = ofKind;
    if (first === undefined) return [];
    const { group = '', version = '', kind = '', namespace = '' } = first;
    const has = (action: string) => ofKind.some((object) => object.action === action);
    return [{ group, version, kind, namespace, create: has('Create'), update: has('Update') }];
  });
}

function missingKinds(planned: readonly PlannedObject[], cluster: string): readonly string[] {
  const lost = planned.filter(({ served }) => served === 'No');
  const kinds = Map.groupBy(lost, ({ group = '', version, kind }) => [group, version, kind].filter(Boolean).join('/'));
  return [...kinds].map(([kind, objects]) => `${cluster} does not serve ${kind} (${objects.length} objects)`);
}
