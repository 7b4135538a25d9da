/**
 * Secrets as records of text: made once, read, replaced under their resourceVersion, deleted. Only Secrets that carry our
 * label are changed or deleted; a Secret of the same name that somebody else made is refused by name.
 */
import { agentName, isManagedByAgent, managedByLabel } from '../../crds/agent-names.ts';
import type { KubeClient, OwnerReference } from '../../kube/client/client.ts';
import { core, type Secret } from '../../kube/client/core.ts';
import { isAlreadyExists, StorkError } from '../../kube/errors.ts';

export type SecretFields = Readonly<Record<string, string>>;

export interface SecretPlace {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
}

export interface StoredSecret {
  readonly fields: SecretFields;
  readonly resourceVersion: string;
  /** When it was made, as the API server has it. */
  readonly created?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** Reads the Secret, or makes it; when two make it at once both get the winner's fields. */
export async function ensureSecret(place: SecretPlace & { readonly make: () => SecretFields }): Promise<SecretFields> {
  const found = await findSecret(place);
  if (found !== undefined) return found.fields;
  try {
    return (await createSecret(place, place.make())).fields;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const winner = await findSecret(place);
    if (winner !== undefined) return winner.fields;
    throw error;
  }
}

export async function findSecret(place: SecretPlace): Promise<StoredSecret | undefined> {
  const { client, namespace, name, signal } = place;
  const secret = await client.find(core.secrets, { namespace, name }, { signal });
  return secret === undefined ? undefined : read(secret);
}

/** @throws ApiError AlreadyExists */
export async function createSecret(
  place: SecretPlace,
  fields: SecretFields,
  marks: { readonly labels?: Readonly<Record<string, string>>; readonly owner?: OwnerReference } = {},
): Promise<StoredSecret> {
  const { client, signal } = place;
  const object = render(place, fields, marks.labels ?? {});
  const owners = marks.owner === undefined ? {} : { ownerReferences: [marks.owner] };
  const owned = { ...object, metadata: { ...object.metadata, ...owners } };
  return read(await client.create(core.secrets, owned, { signal, fieldManager: agentName }));
}

/** Replaces all fields. @throws ApiError Conflict when the Secret changed since `stored` was read */
export async function replaceSecret(
  place: SecretPlace,
  stored: StoredSecret,
  fields: SecretFields,
): Promise<StoredSecret> {
  const { client, signal } = place;
  if (!isManagedByAgent(stored)) throw notOurs(place);
  const object = render(place, fields, stored.labels);
  const pinned = { ...object, metadata: { ...object.metadata, resourceVersion: stored.resourceVersion } };
  return read(await client.replace(core.secrets, pinned, { signal, fieldManager: agentName }));
}

/** Deletes our Secret; leaves one that isn't ours alone. Nothing happens when there is none. */
export async function deleteSecret(place: SecretPlace): Promise<void> {
  const { client, namespace, name, signal } = place;
  const found = await client.find(core.secrets, { namespace, name }, { signal });
  if (found === undefined || !isManagedByAgent(found.metadata)) return;
  await client.delete(core.secrets, { namespace, name }, { signal, uid: found.metadata.uid });
}

function render(place: SecretPlace, fields: SecretFields, labels: Readonly<Record<string, string>>): Secret {
  const encoded = Object.entries(fields).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: place.name,
      namespace: place.namespace,
      labels: { ...labels, [managedByLabel]: agentName },
    },
    type: 'Opaque',
    data: Object.fromEntries(encoded),
  };
}

function read(secret: Secret): StoredSecret {
  const decoded = Object.entries(secret.data ?? {}).map(([key, value]) => [
    key,
    Buffer.from(value, 'base64').toString('utf8'),
  ]);
  return {
    fields: Object.fromEntries(decoded),
    resourceVersion: secret.metadata.resourceVersion ?? '',
    created: secret.metadata.creationTimestamp,
    labels: secret.metadata.labels ?? {},
  };
}

function notOurs(place: SecretPlace): StorkError {
  const about = `Secret ${place.namespace}/${place.name}`;
  return new StorkError({
    code: 'SecretNotOurs',
    message: `${about} was not made by stork`,
    about,
    hint: 'Rename or delete it: the agent needs that name.',
  });
}
