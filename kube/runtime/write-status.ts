/**
 * The only place that writes a status: server-side apply on the status subresource with the resourceVersion and uid
 * pinned. A status that is on the server already is not sent. When somebody changed the object meanwhile, the status is
 * applied again if what it was decided on (uid, generation, status, deletion) still stands; else the decision is void.
 */
import type { KubeClient, KubeObject, ObjectMeta, Resource } from '../client/client.ts';
import { isConflict, isNotFound } from '../errors.ts';
import { sameOnWire } from './decide-step.ts';

export const statusFieldManager = 'stork-status';

export interface StatusWrite<T extends KubeObject> {
  readonly client: KubeClient;
  readonly resource: Resource<T>;
  /** What the status was decided on. */
  readonly object: T & { readonly status?: unknown };
  readonly status: object;
  readonly signal?: AbortSignal | undefined;
}

/** Races lost in a row before the decision counts as void. */
const maxAttempts = 4;

/** 'Unchanged' when there was nothing to write; 'Void' when the decision's ground is gone and must be looked at again. */
export async function writeStatus<T extends KubeObject>(
  write: StatusWrite<T>,
): Promise<'Written' | 'Unchanged' | 'Void'> {
  const { client, resource, object, status, signal } = write;
  if (sameOnWire(object.status ?? {}, status)) return 'Unchanged';
  const { name, namespace, uid } = object.metadata;
  let resourceVersion = object.metadata.resourceVersion;
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const metadata: ObjectMeta = {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    };
    const body = assertApplicable<T>(
      Object.assign({ apiVersion: object.apiVersion, kind: object.kind, metadata }, { status }),
    );
    try {
      await client.apply(resource, body, {
        fieldManager: statusFieldManager,
        conflicts: 'Force',
        subresource: 'status',
        signal,
      });
      return 'Written';
    } catch (error) {
      if (isNotFound(error)) return 'Void';
      if (!isConflict(error)) throw error;
    }
    const fresh: (T & { readonly status?: unknown }) | undefined = await client.find(
      resource,
      { name, namespace },
      { signal },
    );
    if (fresh === undefined || !sameGround(object, fresh)) return 'Void';
    resourceVersion = fresh.metadata.resourceVersion;
  }
  return 'Void';
}

function sameGround(
  a: KubeObject & { readonly status?: unknown },
  b: KubeObject & { readonly status?: unknown },
): boolean {
  return (
    a.metadata.uid === b.metadata.uid &&
    a.metadata.generation === b.metadata.generation &&
    a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
    sameOnWire(a.status ?? {}, b.status ?? {})
  );
}

/** An apply body names only what it owns; its type is T with everything else left out. */
function assertApplicable<T extends KubeObject>(body: KubeObject): Partial<T> & KubeObject {
  return body as Partial<T> & KubeObject;
}
