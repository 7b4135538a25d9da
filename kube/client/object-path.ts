/** Where a resource lives on the server: its URL path and the query of each verb. */
import { StorkError } from '../errors.ts';
import type { AnyResource, ListOptions, ObjectKey, WriteOptions } from './client.ts';

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** `/api/v1/namespaces/x/pods`; without a namespace, all of them. */
export function collectionPath(resource: AnyResource, namespace: string | undefined): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope = resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${resource.plural}`;
}

/** @throws StorkError IncompleteKey when the name, or the namespace of a namespaced kind, is missing */
export function objectPath(resource: AnyResource, key: ObjectKey, subresource?: string): string {
  requireKey(resource, key);
  const tail = subresource === undefined ? '' : `/${subresource}`;
  return `${collectionPath(resource, key.namespace)}/${encodeURIComponent(key.name)}${tail}`;
}

/** Both the real client and the fake refuse such a call alike, before anything is sent. */
export function requireKey(resource: AnyResource, key: ObjectKey): void {
  const lacks = key.name === '' ? 'name' : resource.namespaced && !key.namespace ? 'namespace' : undefined;
  if (lacks === undefined) return;
  const message = `A call for a ${resource.kind} was made without its ${lacks}.`;
  throw new StorkError({ code: 'IncompleteKey', message, about: `${resource.plural} ${key.name}` });
}

/** Where a new object is posted to. @throws StorkError IncompleteKey */
export function requireNamespace(resource: AnyResource, namespace: string | undefined): void {
  if (resource.namespaced) requireKey(resource, { namespace, name: '(new)' });
}

/** @throws StorkError IncompleteKey: a PUT without resourceVersion would overwrite what others wrote */
export function requireResourceVersion(resource: AnyResource, resourceVersion: string | undefined, name: string): void {
  if (resourceVersion !== undefined) return;
  const message = `A ${resource.kind} was to be replaced without its resourceVersion.`;
  throw new StorkError({ code: 'IncompleteKey', message, about: `${resource.plural} ${name}` });
}

/** `a=1&b=x`, absent values left out. */
export function queryString(query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return new URLSearchParams(given).toString();
}

export function selectionQuery(options: Pick<ListOptions, 'labelSelector' | 'fieldSelector'>): Query {
  return { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
}

/** Unknown fields are refused, never dropped silently. */
export function writeQuery(options: WriteOptions): Query {
  return { fieldManager: options.fieldManager, dryRun: options.dryRun, fieldValidation: 'Strict' };
}
