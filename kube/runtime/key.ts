/** Queue and cache keys: `namespace/name`, or `name` for what has no namespace. */
import type { KubeObject, ObjectKey } from '../client/client.ts';

export function keyOf(object: Pick<KubeObject, 'metadata'>): string {
  return formatKey(object.metadata);
}

export function formatKey(key: ObjectKey): string {
  return key.namespace === undefined || key.namespace === '' ? key.name : `${key.namespace}/${key.name}`;
}

export function parseKey(key: string): ObjectKey {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
