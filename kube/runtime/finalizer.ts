/**
 * Finalizers, so that cleaning up can't be forgotten. Both functions are idempotent and use a JSON patch with `test`
 * operations: a lost race is refused by the server instead of removing somebody else's finalizer.
 */
import type { JsonPatchOperation, KubeClient, KubeObject, Resource } from '../client/client.ts';
import { isInvalid, isNotFound } from '../errors.ts';

export interface FinalizerRequest<T extends KubeObject> {
  readonly client: KubeClient;
  readonly resource: Resource<T>;
  /** As it was read last; read again when the race is lost. */
  readonly object: T;
  /** Qualified name, e.g. `stork.libopenstorage.org/migration`. */
  readonly finalizer: string;
  readonly signal?: AbortSignal | undefined;
}

/** Races lost in a row before we give up with the server's error. */
const maxAttempts = 5;

/** The object with our finalizer set; `undefined` when it is gone or being deleted (the API server then takes no new ones). */
export async function ensureFinalizer<T extends KubeObject>(request: FinalizerRequest<T>): Promise<T | undefined> {
  return await patchFinalizers(request, (object) => {
    if (object.metadata.deletionTimestamp !== undefined) return 'Gone';
    const finalizers = object.metadata.finalizers ?? [];
    if (finalizers.includes(request.finalizer)) return 'Done';
    if (finalizers.length === 0)
      return [...pin(object), { op: 'add', path: '/metadata/finalizers', value: [request.finalizer] }];
    return [
      { op: 'test', path: '/metadata/uid', value: object.metadata.uid },
      { op: 'add', path: '/metadata/finalizers/-', value: request.finalizer },
    ];
  });
}

/** The object without our finalizer; `undefined` when that made it vanish or it was gone already. */
export async function removeFinalizer<T extends KubeObject>(request: FinalizerRequest<T>): Promise<T | undefined> {
  const left = await patchFinalizers(request, (object) => {
    const at = (object.metadata.finalizers ?? []).indexOf(request.finalizer);
    if (at < 0) return 'Done';
    const path = `/metadata/finalizers/${at}`;
    return [
      { op: 'test', path: '/metadata/uid', value: object.metadata.uid },
      { op: 'test', path, value: request.finalizer },
      { op: 'remove', path },
    ];
  });
  const vanished = left?.metadata.deletionTimestamp !== undefined && (left.metadata.finalizers ?? []).length === 0;
  return vanished ? undefined : left;
}

async function patchFinalizers<T extends KubeObject>(
  { client, resource, object, signal }: FinalizerRequest<T>,
  plan: (object: T) => readonly JsonPatchOperation[] | 'Done' | 'Gone',
): Promise<T | undefined> {
  const { name, namespace, uid } = object.metadata;
  let current: T | undefined = object;
  for (let attempt = 1; current !== undefined; attempt += 1) {
    const planned = plan(current);
    if (planned === 'Done') return current;
    if (planned === 'Gone') return undefined;
    try {
      return await client.patch(resource, { name, namespace }, { type: 'json', body: planned }, { signal });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      // A failed `test` is Invalid (422) at the API server, whatever the message says.
      if (!isInvalid(error) || attempt >= maxAttempts) throw error;
    }
    const fresh: T | undefined = await client.find(resource, { name, namespace }, { signal });
    current = fresh?.metadata.uid === uid ? fresh : undefined;
  }
  return undefined;
}

function pin(object: KubeObject): readonly JsonPatchOperation[] {
  return [
    { op: 'test', path: '/metadata/uid', value: object.metadata.uid },
    { op: 'test', path: '/metadata/resourceVersion', value: object.metadata.resourceVersion },
  ];
}
