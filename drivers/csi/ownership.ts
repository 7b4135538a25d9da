/** Marks on what this driver makes, so that it never takes over or deletes what it did not make. */
import { agentName } from '../../crds/agent-names.ts';
import type { KubeClient, KubeObject, ObjectKey, Resource } from '../../kube/client/client.ts';
import { isAlreadyExists, StorkError } from '../../kube/errors.ts';
import type { VolumeRef } from '../driver.ts';

/** The idempotency key an object was made for. */
const keyAnnotation = 'stork.libopenstorage.org/snapshot-key';
/** The uid of the claim whose content it is. */
const claimAnnotation = 'stork.libopenstorage.org/source-claim-uid';

export interface Owner {
  readonly key: string;
  readonly volume: VolumeRef;
}

export function ownedBy(owner: Owner): Readonly<Record<string, string>> {
  return { [keyAnnotation]: owner.key, [claimAnnotation]: owner.volume.claim.uid };
}

export function isOwnedBy(object: KubeObject, owner: Owner): boolean {
  const annotations = object.metadata.annotations ?? {};
  return annotations[keyAnnotation] === owner.key && annotations[claimAnnotation] === owner.volume.claim.uid;
}

/**
 * The object, made now or by an earlier call for the same owner.
 * @throws StorkError `NameTaken` when something else has its name
 */
export async function ensureOwned<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  object: T,
  { owner, signal }: { readonly owner: Owner; readonly signal?: AbortSignal | undefined },
): Promise<T> {
  const key: ObjectKey = { name: object.metadata.name, namespace: object.metadata.namespace };
  const found = await client.find(resource, key, { signal });
  if (found !== undefined) return refuseForeign(found, owner);
  try {
    return await client.create(resource, object, { signal, fieldManager: agentName });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return refuseForeign(await client.get(resource, key, { signal }), owner);
  }
}

/** @throws StorkError `NameTaken` unless the object was made for this owner */
export function refuseForeign<T extends KubeObject>(object: T, owner: Owner): T {
  if (isOwnedBy(object, owner)) return object;
  const { namespace, name } = object.metadata;
  const about = `${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
  throw new StorkError({
    code: 'NameTaken',
    message: `${about} exists and was not made for ${owner.key} of claim ${owner.volume.claim.namespace}/${owner.volume.claim.name}`,
    about,
    hint: 'It is left untouched. Rename or remove it if it is not needed.',
  });
}

/** Deletes the object if it is the owner's. 'Gone' when it is not there any more (or never was the owner's). */
export async function deleteOwned<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  key: ObjectKey,
  { owner, signal }: { readonly owner: Owner; readonly signal?: AbortSignal | undefined },
): Promise<'Gone' | 'Releasing'> {
  const found = await client.find(resource, key, { signal });
  if (found === undefined || !isOwnedBy(found, owner)) return 'Gone';
  if (found.metadata.deletionTimestamp === undefined)
    await client.delete(resource, key, { uid: found.metadata.uid, propagation: 'Background', signal });
  const left = await client.find(resource, key, { signal });
  return left === undefined || left.metadata.uid !== found.metadata.uid ? 'Gone' : 'Releasing';
}
