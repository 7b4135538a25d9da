/** The verbs of KubeClient as requests on a transport: paths, queries, bodies, and answers as objects. */
import { isNotFound } from '../errors.ts';
import type {
  AnyResource,
  DeleteOptions,
  KubeClient,
  KubeObject,
  LogsRequest,
  ObjectKey,
  ServedResource,
} from './client.ts';
import { core } from './core.ts';
import type { WatchLimits } from './create-kube-client.ts';
import { discoverResources, discoveryFreshMs } from './discovery.ts';
import { execInPod } from './exec-in-pod.ts';
import { listAll } from './list-all.ts';
import {
  collectionPath,
  objectPath,
  queryString,
  requireNamespace,
  requireResourceVersion,
  selectionQuery,
  writeQuery,
} from './object-path.ts';
import { readList, readObject, readWatchEvent } from './received.ts';
import type { ImpersonationHeaders, Transport, WireRequest } from './transport.ts';
import { jsonLines } from './watch-stream.ts';

export interface VerbsContext {
  readonly transport: Transport;
  readonly headers: ImpersonationHeaders;
  readonly random: () => number;
  readonly limits: WatchLimits;
  readonly userAgent: string;
  readonly managedFields: 'Strip' | 'Keep';
}

const defaultPageSize = 500;
/** The server ends a watch after this long, plus up to `watchSpreadSeconds`, so that watches don't all end at once. */
const watchSeconds = 290;
const watchSpreadSeconds = 60;
/** The end of a log is read up to this. */
const maxLogBytes = 4 * 1024 * 1024;

const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;

export function clientVerbs(context: VerbsContext): Omit<KubeClient, 'as' | 'close'> {
  const { transport, headers, limits, managedFields } = context;
  const callJson = async (request: WireRequest): Promise<unknown> =>
    JSON.parse((await transport.call(request, headers)).text);
  /** Sends a write; absent query values are left out. */
  const write = async <T extends KubeObject>(resource: AnyResource & { readonly __object?: T }, request: WireRequest) =>
    readObject<T>(resource, await callJson(request), managedFields);
  let discovered: { readonly at: number; readonly resources: Promise<readonly ServedResource[]> } | undefined;

  const verbs: Omit<KubeClient, 'as' | 'close'> = {
    server: transport.server,
    async get(resource, key, options) {
      const request = {
        method: 'GET',
        path: objectPath(resource, key),
        about: aboutOf(resource, key),
        ...signalOf(options),
      } as const;
      return readObject(resource, await callJson(request), managedFields);
    },
    async find(resource, key, options) {
      try {
        return await verbs.get(resource, key, options);
      } catch (error) {
        // Without the object's name it is the kind that isn't served.
        if (isNotFound(error) && error.status.details?.name === key.name) return undefined;
        throw error;
      }
    },
    async listPage(resource, options = {}) {
      const { pageSize = defaultPageSize, continueToken } = options;
      const query = queryString({ ...selectionQuery(options), limit: pageSize, continue: continueToken });
      const path = `${collectionPath(resource, options.namespace)}?${query}`;
      const answer = await callJson({
        method: 'GET',
        path,
        about: aboutList(resource, options.namespace),
        ...signalOf(options),
      });
      return readList(resource, answer, managedFields);
    },
    list: (resource, options) => listAll(verbs.listPage, resource, options ?? {}),
    watch: (resource, options) => ({
      async *[Symbol.asyncIterator]() {
        const { resourceVersion, namespace, signal } = options;
        const timeoutSeconds = watchSeconds + Math.floor(context.random() * watchSpreadSeconds);
        const selection = selectionQuery(options);
        const query = queryString({
          ...selection,
          watch: true,
          allowWatchBookmarks: true,
          resourceVersion,
          timeoutSeconds,
        });
        const about = aboutList(resource, namespace);
        const request = {
          method: 'GET',
          path: `${collectionPath(resource, namespace)}?${query}`,
          about,
          signal,
        } as const;
        const response = await transport.stream(request, headers);
        const { server, clock } = transport;
        const { watchSilentAfterMs: silentAfterMs, watchEventBytes: lineBytes } = limits;
        for await (const line of jsonLines(response, { server, about, clock, signal, silentAfterMs, lineBytes })) {
          yield readWatchEvent(resource, line, { about, managedFields });
        }
      },
    }),
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
        const left = await callJson({ ...request, ...signalOf(options) });
        return lingers(left) ? readObject(resource, left, managedFields) : undefined;
      } catch (error) {
        if (isNotFound(error) && error.status.details?.name === key.name) return undefined;
        throw error;
      }
    },
    exec: (request) => execInPod(transport, headers, context.userAgent, request),
    async logs(request) {
      return (await transport.call(logsRequest(request), headers)).text;
    },
    discover(options) {
      const now = transport.clock.monotonicMs();
      if (discovered === undefined || now - discovered.at > discoveryFreshMs) {
        const fetchJson = (path: string, accept: string) =>
          callJson({ method: 'GET', path, accept, about: 'discovery', ...signalOf(options) });
        const resources = discoverResources(fetchJson);
        discovered = { at: now, resources };
        resources.catch(() => {
          discovered = undefined;
        });
      }
      return discovered.resources;
    },
    async version(options) {
      const answer = await callJson({ method: 'GET', path: '/version', about: 'version', ...signalOf(options) });
      return String(fieldOf(answer, 'gitVersion'));
    },
    async request(method, path, options = {}) {
      const body = options.body === undefined ? undefined : JSON.stringify(options.body);
      const { contentType } = options;
      const answer = await transport.call(
        { method, path, body, contentType, about: path, ...signalOf(options) },
        headers,
      );
      return answer.contentType.includes('json') ? JSON.parse(answer.text) : answer.text;
    },
  };
  return verbs;
}

const signalOf = (options: { readonly signal?: AbortSignal | undefined } | undefined) => ({ signal: options?.signal });

function aboutOf(resource: AnyResource, key: ObjectKey): string {
  return `${qualified(resource)} ${key.namespace === undefined ? '' : `${key.namespace}/`}${key.name}`;
}

function aboutList(resource: AnyResource, namespace: string | undefined): string {
  return namespace === undefined ? qualified(resource) : `${qualified(resource)} in ${namespace}`;
}

const qualified = ({ group, plural }: AnyResource) => (group === '' ? plural : `${plural}.${group}`);

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

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

function logsRequest(request: LogsRequest): WireRequest {
  const key = { namespace: request.namespace, name: request.pod };
  const query = queryString({
    container: request.container,
    tailLines: request.tailLines,
    previous: request.previous === 'Yes' ? true : undefined,
    limitBytes: maxLogBytes,
  });
  return {
    method: 'GET',
    path: `${objectPath(core.pods, key, 'log')}?${query}`,
    accept: 'text/plain, application/json',
    about: aboutOf(core.pods, key),
    signal: request.signal,
  };
}
