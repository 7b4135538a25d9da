/** Writing: create, replace, apply, patch, delete; always with fieldValidation=Strict. */
import { isNotFound } from '../errors.ts';
import type { DeleteOptions, KubeClient, KubeObject, Resource } from './client.ts';
import {
  collectionPath,
  objectPath,
  queryString,
  requireNamespace,
  requireResourceVersion,
  writeQuery,
} from './object-path.ts';
import { readObject } from './received.ts';
import type { WireRequest } from './transport.ts';
import { aboutOf, callJson, fieldOf, signalOf, type VerbsContext } from './verbs-context.ts';

const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;

export type WriteVerbs = Pick<KubeClient, 'create' | 'replace' | 'apply' | 'patch' | 'delete'>;

export function writeVerbs(context: VerbsContext): WriteVerbs {
  const { managedFields } = context;
  const write = async <T extends KubeObject>(resource: Resource<T>, request: WireRequest) =>
    readObject<T>(resource, await callJson(context, request), managedFields);
  return {
    async create(resource, object, options = {}) {
      const { namespace, name } = object.metadata;
      requireNamespace(resource, namespace);
      const path = `${collectionPath(resource, namespace)}?${queryString(writeQuery(options))}`;
      const about = aboutOf(resource, { namespace, name });
      return write(resource, { method: 'POST', path, body: JSON.stringify(object), about, ...signalOf(options) });
    },
    async replace(resource, object, options = {}) {
      const key = object.metadata;
      const path = objectPath(resource, key, options.subresource);
      requireResourceVersion(resource, key.resourceVersion, key.name);
      const request = {
        method: 'PUT',
        path: `${path}?${queryString(writeQuery(options))}`,
        body: JSON.stringify(object),
      } as const;
      return write(resource, { ...request, about: aboutOf(resource, key), ...signalOf(options) });
    },
    async apply(resource, object, options) {
      const key = object.metadata;
      const force = options.conflicts === 'Force' ? true : undefined;
      const path = `${objectPath(resource, key, options.subresource)}?${queryString({ ...writeQuery(options), force })}`;
      const request = {
        method: 'PATCH',
        path,
        contentType: 'application/apply-patch+yaml',
        body: JSON.stringify(object),
      } as const;
      return write(resource, { ...request, about: aboutOf(resource, key), ...signalOf(options) });
    },
    async patch(resource, key, patch, options = {}) {
      const path = `${objectPath(resource, key, options.subresource)}?${queryString(writeQuery(options))}`;
      const request = {
        method: 'PATCH',
        path,
        contentType: patchTypes[patch.type],
        body: JSON.stringify(patch.body),
      } as const;
      return write(resource, { ...request, about: aboutOf(resource, key), ...signalOf(options) });
    },
    async delete(resource, key, options = {}) {
      const path = objectPath(resource, key);
      const request = {
        method: 'DELETE',
        path,
        body: JSON.stringify(deleteBody(options)),
        about: aboutOf(resource, key),
      } as const;
      try {
        const left = await callJson(context, { ...request, ...signalOf(options) });
        return lingers(left) ? readObject(resource, left, managedFields) : undefined;
      } catch (error) {
        if (isNotFound(error) && error.status.details?.name === key.name) return undefined;
        throw error;
      }
    },
  };
}

/** Background unless told: the server's own default would orphan the pods of a Job. */
function deleteBody({ uid, resourceVersion, propagation = 'Background', gracePeriodSeconds }: DeleteOptions) {
  const preconditions = uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };
  return { apiVersion: 'v1', kind: 'DeleteOptions', preconditions, propagationPolicy: propagation, gracePeriodSeconds };
}

/** Whether a delete's answer is an object that something still holds; a Status or a final state isn't. */
function lingers(left: unknown): boolean {
  if (fieldOf(left, 'kind') === 'Status') return false;
  const metadata = fieldOf(left, 'metadata');
  const finalizers = fieldOf(metadata, 'finalizers');
  const graceSeconds = fieldOf(metadata, 'deletionGracePeriodSeconds');
  if (Array.isArray(finalizers) && finalizers.length > 0) return true;
  if (typeof graceSeconds === 'number' && graceSeconds > 0) return true;
  return fieldOf(left, 'kind') === 'Namespace';
}
