/** What became of resources, as a Migration's status tells it. Pure. */
import { allowKindsCommand } from '../../../crds/custom-kinds.ts';
import type { MigrationResource, MigrationStatus, MigrationVolume } from '../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../kube/client/client.ts';
import type { ConditionFacts } from '../../../kube/runtime/conditions.ts';
import { storkNames } from '../../resources/names.ts';
import { type ResourceRef, refOf } from '../../resources/resource-ref.ts';
import type { WaveAnswer } from '../messages.ts';
import type { Collected } from './source-services.ts';

/** A resource's result, and who keeps it in line with Git on either side. */
export interface ResourceResult extends MigrationResource {
  readonly managedHere?: string | undefined;
  readonly managedThere?: string | undefined;
  /** Of a whole kind that could not be read: `plural.group`. */
  readonly unreadKind?: string | undefined;
}

/** `Skipped`: left out by design, as its reason says. Nothing was lost. */
const wellEnded = new Set(['Created', 'Updated', 'Unchanged', 'Skipped']);

/** What never left: kinds that can't be read, objects that their transformation does not fit. */
export function keptHere({
  unreadable,
  misfits,
}: Pick<Collected, 'unreadable' | 'misfits'>): readonly ResourceResult[] {
  return [
    ...unreadable.map(({ group, version, kind, resource, reason }) => ({
      ...failed(
        { group, version, kind, namespace: undefined, name: '*' },
        `it could not be read on the source: ${reason}`,
      ),
      unreadKind: resource,
    })),
    ...misfits.map(({ ref, reason }) => failed(ref, reason)),
  ];
}

/** What the destination says of the objects of one message. */
export function resultsOf(
  answer: WaveAnswer,
  objects: readonly AnyObject[],
  managed: Collected['managed'],
): readonly ResourceResult[] {
  const transformed = new Map(
    objects.map((object) => [keyOf(refOf(object)), object.metadata.annotations?.[storkNames.transformation]]),
  );
  const stashed = new Map(
    objects.map((object) => [keyOf(refOf(object)), object.metadata.annotations?.[storkNames.stashOf]]),
  );
  const owners = new Map(managed.map(({ ref, by }) => [keyOf(ref), by]));
  return answer.results.map(({ group, version, kind, namespace, name, result, reason = '', managedBy }) => {
    const key = keyOf({ group, kind, namespace, name });
    const owner = owners.get(key);
    const told =
      owner === undefined ? '' : `${owner} manages it on the source; nothing keeps the copy in line with Git`;
    const held = stashed.get(key);
    const kept = held === undefined ? '' : `${held} is kept until it is activated`;
    return {
      ...{ group, version, kind, name, namespace: namespace ?? '' },
      status: wellEnded.has(result) ? 'Successful' : 'Failed',
      reason: [reason, kept, told].filter((text) => text !== '').join('; '),
      transformedBy: transformed.get(key),
      managedHere: owner,
      managedThere: managedBy,
    };
  });
}

/** Claims and their volumes count as resources, as in Stork: the volume flow has made them on the destination. */
export const volumeResults = (volumes: readonly MigrationVolume[]): readonly ResourceResult[] =>
  volumes.map((volume) => ({
    ...claimRef(volume.namespace ?? '', volume.persistentVolumeClaim ?? ''),
    status: volume.status ?? '',
    reason: volume.reason ?? '',
  }));

export const unmovedResults = (
  claims: readonly { readonly namespace: string; readonly name: string; readonly reason: string }[],
): readonly ResourceResult[] =>
  claims.map(({ namespace, name, reason }) => ({ ...claimRef(namespace, name), status: 'Failed', reason }));

/** About a third of what etcd takes in one request: volumes, rules and the same again on its way need room too. */
const listedBytes = 480 * 1024;
const reasonLength = 1024;

/** The list for the status: failures first, and as much of the rest as has room. */
export function listResults(
  results: readonly ResourceResult[],
): Pick<MigrationStatus, 'resources' | 'omittedResources'> {
  const isDone = ({ status }: MigrationResource) => status === 'Successful';
  const ordered = [...results.filter((one) => !isDone(one)), ...results.filter(isDone)];
  let bytes = 0;
  const listed = ordered.map(shown).filter((one) => {
    bytes += Buffer.byteLength(JSON.stringify(one)) + 1;
    return bytes <= listedBytes;
  });
  const omitted = ordered.slice(listed.length);
  if (omitted.length === 0) return { resources: listed, omittedResources: undefined };
  const successful = omitted.filter(isDone).length;
  const purged = omitted.filter(({ status }) => status === 'Purged').length;
  return { resources: listed, omittedResources: { successful, failed: omitted.length - successful - purged } };
}

function shown({
  managedHere: _here,
  managedThere: _there,
  unreadKind: _unread,
  transformedBy,
  ...result
}: ResourceResult): MigrationResource {
  const reason = (result.reason ?? '').slice(0, reasonLength);
  return { ...result, reason, ...(transformedBy === undefined ? {} : { transformedBy }) };
}

/** One warning for all; `undefined`: nothing of it is managed by Git. */
export function decideGitOpsCondition(results: readonly ResourceResult[]): ConditionFacts | undefined {
  const here = results.flatMap(({ managedHere }) => managedHere ?? []);
  const there = results.flatMap(({ managedThere }) => managedThere ?? []);
  if (here.length + there.length === 0) return undefined;
  const sentences = [
    ...(there.length === 0 ? [] : [`${countOf(there)} on the destination, left as found`]),
    ...(here.length === 0 ? [] : [`${countOf(here)} on the source: nothing keeps the copies in line with Git`]),
  ];
  return {
    type: 'ManagedByGitOps',
    status: 'True',
    reason: 'ManagedByGitOps',
    message: `Git manages some of it: ${sentences.join('. ')}`,
  };
}

/** A partial result is never told as a whole one: nobody knows whether there is anything of such a kind. */
export function decideUnreadCondition(results: readonly ResourceResult[]): ConditionFacts | undefined {
  const kinds = results.flatMap(({ unreadKind }) => unreadKind ?? []);
  if (kinds.length === 0) return undefined;
  const more = kinds.length > kindsNamed ? ` and ${kinds.length - kindsNamed} more` : '';
  const [what, them] = kinds.length === 1 ? ['1 kind', 'it'] : [`${kinds.length} kinds`, 'them'];
  const names = `${kinds.slice(0, kindsNamed).join(', ')}${more}`;
  const remedy = `let stork-agent read ${them} (${allowKindsCommand} --all), or leave ${them} out (spec.excludeResourceTypes)`;
  return {
    ...{ type: 'KindsNotRead', status: 'True' },
    reason: 'KindsNotRead',
    message: `${what} could not be read on the source, so nobody knows whether anything of ${them} stayed behind: ${names}; ${remedy}`,
  };
}

const kindsNamed = 10;

/** The same in words. */
export const describeUnread = (results: readonly ResourceResult[]): string | undefined =>
  decideUnreadCondition(results)?.message;

const ownersNamed = 3;

function countOf(owners: readonly string[]): string {
  const names = [...new Set(owners)];
  const more = names.length > ownersNamed ? ` and ${names.length - ownersNamed} more` : '';
  const objects = owners.length === 1 ? '1 object is' : `${owners.length} objects are`;
  return `${objects} managed by ${names.slice(0, ownersNamed).join(', ')}${more}`;
}

function failed({ namespace = '', ...ref }: ResourceRef, reason: string): ResourceResult {
  return { ...ref, namespace, status: 'Failed', reason };
}

const claimRef = (namespace: string, name: string) => ({
  ...{ group: '', version: 'v1', kind: 'PersistentVolumeClaim', namespace, name },
});

const keyOf = ({ group, kind, namespace, name }: Omit<ResourceRef, 'version'>): string =>
  `${group}/${kind} ${namespace ?? ''}/${name}`;
