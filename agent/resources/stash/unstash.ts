/**
 * Makes what a namespace's stashes hold, on activation: as the account they came by, never over what is not ours. What was
 * made stays marked on its ConfigMap, so that activating again does not undo what users changed since; a newer stash is made
 * again. Idempotent: the mark comes after the object.
 */
import type { AnyObject, KubeClient, Resource } from '../../../kube/client/client.ts';
import { core } from '../../../kube/client/core.ts';
import type { Clock } from '../../../kube/clock.ts';
import { isForbidden } from '../../../kube/errors.ts';
import { applyObjects, identityOfServiceAccount } from '../apply/apply-objects.ts';
import { fieldManagers, storkNames } from '../names.ts';
import { keyOfRef, refOf, textOfRef } from '../resource-ref.ts';
import { openStash } from './seal-stash.ts';
import { readStash } from './stash-object.ts';

export interface StashParts {
  readonly key: string;
  readonly clock: Clock;
  /** `Settle`: the objects themselves came along, so what is stashed counts as made. */
  readonly mode: 'Make' | 'Settle';
  /** The uid of the Action that asks: one that is run again, after a crash or an error, tells of what its first run made, too. */
  readonly madeFor?: string | undefined;
  /** Keys (keyOfRef) of what this is about; absent: everything. */
  readonly only?: ReadonlySet<string> | undefined;
}

export interface Unstashed {
  readonly messages: readonly string[];
  readonly failures: readonly string[];
}

export async function unstash(
  client: KubeClient,
  namespace: string,
  parts: StashParts,
  signal?: AbortSignal,
): Promise<Unstashed> {
  const messages: string[] = [];
  const failures: string[] = [];
  for (const stash of await listStashes(client, namespace, signal)) {
    if (!isAbout(stash, parts.only)) continue;
    if (isMade(stash)) {
      if (isMadeFor(stash, parts.madeFor)) messages.push(messageOf(stash));
      continue;
    }
    const outcome = await open(client, stash, parts, signal);
    if ('failure' in outcome) failures.push(outcome.failure);
    else if (outcome.message !== undefined) messages.push(outcome.message);
  }
  return { messages, failures };
}

async function listStashes(client: KubeClient, namespace: string, signal?: AbortSignal): Promise<readonly AnyObject[]> {
  const found: AnyObject[] = [];
  try {
    const options = { namespace, labelSelector: `${storkNames.stash}=true`, signal };
    for await (const stash of client.list(core.configMaps, options)) found.push({ ...stash });
  } catch (error) {
    if (!isForbidden(error)) throw error;
  }
  return found;
}

function isMade({ metadata: { annotations = {} } }: AnyObject): boolean {
  const made = annotations[storkNames.stashMade];
  return made !== undefined && made === annotations[storkNames.stashSeal];
}

const isMadeFor = (stash: AnyObject, uid: string | undefined): boolean =>
  uid !== undefined && stash.metadata.annotations?.[storkNames.stashMadeFor] === uid;

function messageOf(stash: AnyObject): string {
  const object = readStash(stash);
  return `Created ${object === undefined ? aboutOf(stash) : textOfRef(refOf(object))} from its stash`;
}

const aboutOf = (stash: AnyObject): string =>
  stash.metadata.annotations?.[storkNames.stashOf] ?? textOfRef(refOf(stash));

function isAbout(stash: AnyObject, only: StashParts['only']): boolean {
  if (only === undefined) return true;
  const object = readStash(stash);
  return object !== undefined && only.has(keyOfRef(refOf(object)));
}

type Opened = { readonly failure: string } | { readonly message: string | undefined };

async function open(
  client: KubeClient,
  stash: AnyObject,
  { key, clock, mode, madeFor }: StashParts,
  signal?: AbortSignal,
): Promise<Opened> {
  const about = aboutOf(stash);
  const origin = openStash(stash, key);
  const object = readStash(stash);
  if (origin === undefined || object === undefined) {
    return { failure: `${about}: ${textOfRef(refOf(stash))} was changed since it came; migrate again` };
  }
  const identity = identityOfServiceAccount(origin.account);
  const { namespace = '' } = object.metadata;
  if (mode === 'Make') {
    const { migrationName, migrationNamespace, migrationTime } = storkNames;
    const marks = stash.metadata.annotations ?? {};
    const [applied] = await applyObjects(
      { client, clock, identity },
      {
        objects: [object],
        pairId: origin.pairId,
        migration: {
          namespace: marks[migrationNamespace] ?? '',
          name: marks[migrationName] ?? '',
          time: marks[migrationTime] ?? '',
        },
        grant: { namespaces: [namespace], clusterScopedKinds: [] },
      },
      signal,
    );
    if (applied?.result === 'Conflict' || applied?.result === 'Failed') {
      return { failure: `${about}: ${applied.reason ?? applied.result}` };
    }
  }
  await mark(client.as(identity), stash, madeFor, signal);
  return { message: mode === 'Make' ? messageOf(stash) : undefined };
}

const configMaps: Resource = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true };

/** Pinned: a newer stash that came meanwhile is not made yet. */
async function mark(
  client: KubeClient,
  stash: AnyObject,
  madeFor: string | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const { namespace, name, resourceVersion, annotations } = stash.metadata;
  const made = {
    [storkNames.stashMade]: annotations?.[storkNames.stashSeal],
    [storkNames.stashMadeFor]: madeFor ?? null,
  };
  const body = { metadata: { resourceVersion, annotations: made } };
  const options = { fieldManager: fieldManagers.activation, signal };
  await client.patch(configMaps, { namespace, name }, { type: 'merge', body }, options);
}
