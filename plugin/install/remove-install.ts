/** Takes an installation away again: only objects marked as ours, each by its uid. Repeatable. */
import { isManagedByAgent } from '../../crds/agent-names.ts';
import { allKinds } from '../../crds/v1alpha1/index.ts';
import type { AnyObject, KubeObject, Resource } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { isNotFound, StorkError } from '../../kube/errors.ts';
import type { InstallWork } from './apply-install.ts';
import { pairSecretsRole } from './plan-roles.ts';
import { resourceOfObject } from './resource-of-object.ts';

export async function removeObjects(
  { client, signal, tell }: InstallWork,
  objects: readonly AnyObject[],
): Promise<void> {
  for (const object of objects) {
    const resource = resourceOfObject(object);
    const { name, namespace } = object.metadata;
    const found = await client.find(resource, { name, namespace }, { signal });
    if (found === undefined) continue;
    const called = `${object.kind.toLowerCase()}/${name}`;
    if (!isManagedByAgent(found.metadata)) {
      tell(`${called} kept: kubectl stork did not make it`);
      continue;
    }
    await client.delete(resource, { name, namespace }, { uid: found.metadata.uid, signal });
    tell(`${called} deleted`);
  }
}

/** What `kubectl stork pair -n NAMESPACE` bound in namespaces of pairs. */
export async function removePairBindings({ client, signal, tell }: InstallWork): Promise<void> {
  const fieldSelector = `metadata.name=${pairSecretsRole}`;
  for await (const { metadata } of client.list(core.roleBindings, { fieldSelector, signal })) {
    if (!isManagedByAgent(metadata)) continue;
    await client.delete(core.roleBindings, metadata, { uid: metadata.uid, signal });
    tell(`rolebinding/${metadata.name} deleted in ${metadata.namespace}`);
  }
}

const pollMs = 500;

/**
 * Deletes every object of our kinds and waits until the agent has let go of them.
 * @throws StorkError `ObjectsRemain`
 */
export async function deleteOurObjects(work: InstallWork, timeoutMs: number): Promise<void> {
  const { client, clock, signal } = work;
  for (const kind of allKinds) {
    for (const { metadata } of await listKind(work, kind)) {
      await client.delete(kind, metadata, { uid: metadata.uid, signal });
    }
  }
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  for (;;) {
    const left = (await Promise.all(allKinds.map((kind) => listKind(work, kind)))).flat();
    if (left.length === 0) return;
    if (clock.monotonicMs() > deadlineMs) {
      const names = left
        .slice(0, 5)
        .map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`);
      throw new StorkError({
        code: 'ObjectsRemain',
        message: `${left.length} objects still have finalizers: ${names.join(', ')}`,
        hint: 'Is the agent running? It removes them when it has cleaned up.',
      });
    }
    await clock.sleep(pollMs, signal);
  }
}

/** A kind that isn't served has no objects. */
async function listKind<T extends KubeObject>(
  { client, signal }: InstallWork,
  kind: Resource<T>,
): Promise<readonly T[]> {
  const found: T[] = [];
  try {
    for await (const object of client.list(kind, { signal })) found.push(object);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return found;
}
