/** One identity's view of the fake: authorizes each call, then reads the store or writes through object-writes. */
import type {
  AnyObject,
  AnyResource,
  ExecRequest,
  ExecResult,
  Impersonation,
  KubeClient,
  KubeObject,
  ListOptions,
  ListPage,
  ObjectKey,
  Resource,
  ServedResource,
  WatchEvent,
} from '../client/client.ts';
import { core } from '../client/core.ts';
import { execTimedOut } from '../client/exec-errors.ts';
import { impersonationHeaders } from '../client/impersonation.ts';
import { listAll } from '../client/list-all.ts';
import { requireKey, requireNamespace, requireResourceVersion } from '../client/object-path.ts';
import { ApiError, isNotFound, StorkError } from '../errors.ts';
import { answerReview } from './answer-review.ts';
import { badRequest, methodNotAllowed, notFound, resourceExpired } from './api-refusals.ts';
import { followDefinition } from './custom-resource-definition.ts';
import type { Access, FakeServerState } from './fake-api-server.ts';
import { openFakeWatch } from './fake-watch.ts';
import { at } from './json-value.ts';
import { parseFieldSelector, parseLabelSelector, type Selector } from './selectors.ts';
import { answeredKinds, collectionOf, type ServedKind } from './served-kinds.ts';

const defaultPageSize = 500;
export const fakeServerUrl = 'https://fake.invalid';

export function fakeClient(state: FakeServerState, identity: Impersonation): KubeClient {
  const { store, writes } = state;
  /** Lets other work run first, as any call over a network does; then refuses what this identity may not do. */
  const enter = async (
    resource: AnyResource,
    access: Partial<Access> & { verb: string },
    signal: AbortSignal | undefined,
  ) => {
    signal?.throwIfAborted();
    await Promise.resolve();
    signal?.throwIfAborted();
    authorize(state, identity, resource, access);
    const kind = state.getKind(resource);
    if (answeredKinds.has(kind.resource.kind) && access.verb !== 'create') throw methodNotAllowed(resource);
    return kind;
  };
  const client: KubeClient = {
    server: fakeServerUrl,
    async get(resource, key, options) {
      requireKey(resource, key);
      const kind = await enter(resource, { verb: 'get', ...key }, options?.signal);
      const stored = store.find(collectionOf(kind), resource.namespaced ? key : { name: key.name });
      if (stored === undefined) throw notFound(kind.resource, key);
      return assertOf(resource, stored.object);
    },
    async find(resource, key, options) {
      try {
        return await client.get(resource, key, options);
      } catch (error) {
        if (isNotFound(error) && error.status.details?.name === key.name) return undefined;
        throw error;
      }
    },
    async listPage(resource, options) {
      const kind = await enter(resource, { verb: 'list', namespace: options?.namespace }, options?.signal);
      return listPage(state, kind, resource, options ?? {});
    },
    list: (resource, options) => listAll(client.listPage, resource, options ?? {}),
    watch: (resource, options) => ({
      async *[Symbol.asyncIterator]() {
        const kind = await enter(resource, { verb: 'watch', namespace: options.namespace }, options.signal);
        const matches = matcher(kind, options);
        const { clock } = state.options;
        const { signal, resourceVersion } = options;
        const watch = {
          store,
          clock,
          collection: collectionOf(kind),
          kind: kind.resource,
          resourceVersion,
          matches,
          signal,
        };
        for await (const event of openFakeWatch(watch, state.openWatches)) yield typedEvent(resource, event);
      },
    }),
    async create(resource, object, options) {
      const { namespace } = object.metadata;
      requireNamespace(resource, namespace);
      const kind = await enter(resource, { verb: 'create', namespace }, options?.signal);
      if (answeredKinds.has(kind.resource.kind)) return assertOf(resource, answerReview(state, identity, kind, object));
      const admitted = state.options.admitCreate?.(object, identity) ?? object;
      const created = writes.create(kind, admitted, options ?? {});
      followDefinition(state, created, 'Served');
      return assertOf(resource, created);
    },
    async replace(resource, object, options) {
      const key = object.metadata;
      requireKey(resource, key);
      requireResourceVersion(resource, key.resourceVersion, key.name);
      const access = { verb: 'update', ...keyOf(key), subresource: options?.subresource };
      const kind = await enter(resource, access, options?.signal);
      const replaced = writes.replace(kind, object, options ?? {});
      followDefinition(state, replaced, 'Served');
      return assertOf(resource, replaced);
    },
    async apply(resource, object, options) {
      requireKey(resource, object.metadata);
      const access = { verb: 'patch', ...keyOf(object.metadata), subresource: options.subresource };
      const kind = await enter(resource, access, options.signal);
      const applied = writes.apply(kind, object, options);
      followDefinition(state, applied, 'Served');
      return assertOf(resource, applied);
    },
    async patch(resource, key, patch, options) {
      requireKey(resource, key);
      const access = { verb: 'patch', ...keyOf(key), subresource: options?.subresource };
      const kind = await enter(resource, access, options?.signal);
      const next = writes.patch(kind, key, patch, options ?? {});
      followDefinition(state, next, 'Served');
      return assertOf(resource, next);
    },
    async delete(resource, key, options) {
      requireKey(resource, key);
      const kind = await enter(resource, { verb: 'delete', ...keyOf(key) }, options?.signal);
      const before = store.find(collectionOf(kind), resource.namespaced ? key : { name: key.name });
      if (before === undefined) return undefined;
      const left = writes.remove(kind, key, options ?? {});
      if (left === undefined) followDefinition(state, before.object, 'Gone');
      return left === undefined ? undefined : assertOf(resource, left);
    },
    async exec(request) {
      await enter(core.pods, { verb: 'create', subresource: 'exec', ...podKey(request) }, request.signal);
      return execute(state, request);
    },
    async logs(request) {
      const kind = await enter(core.pods, { verb: 'get', subresource: 'log', ...podKey(request) }, request.signal);
      if (store.find('/pods', podKey(request)) === undefined) throw notFound(kind.resource, podKey(request));
      return (await state.options.onLogs?.(request)) ?? '';
    },
    async discover(options) {
      options?.signal?.throwIfAborted();
      return state.kinds().map((kind): ServedResource => kind.resource);
    },
    async version(options) {
      options?.signal?.throwIfAborted();
      return state.options.version ?? 'v1.36.3';
    },
    async request(method, path, options) {
      options?.signal?.throwIfAborted();
      if (method === 'GET' && path === '/version') return { gitVersion: await client.version() };
      const answer: unknown = await state.options.onRequest?.(method, path, options?.body);
      if (answer !== undefined) return answer;
      throw new ApiError(
        { code: 404, reason: 'NotFound', message: 'the server could not find the requested resource' },
        path,
      );
    },
    as(other) {
      impersonationHeaders(other);
      return fakeClient(state, other);
    },
    close() {},
  };
  return client;
}

/** As the real client: the end of each stream. */
const execTailBytes = 65_536;

const keyOf = (key: ObjectKey): ObjectKey => ({ namespace: key.namespace, name: key.name });
const podKey = (request: { readonly namespace: string; readonly pod: string }): ObjectKey => ({
  namespace: request.namespace,
  name: request.pod,
});

function authorize(
  state: FakeServerState,
  identity: Impersonation,
  resource: AnyResource,
  access: Partial<Access> & { verb: string },
) {
  const asked = { identity, group: resource.group, resource: resource.plural, ...access };
  if (state.options.authorize === undefined || state.options.authorize(asked) === 'Allow') return;
  const { group, plural } = resource;
  const subresource = access.subresource === undefined ? '' : `/${access.subresource}`;
  const scope = access.namespace === undefined ? 'at the cluster scope' : `in the namespace "${access.namespace}"`;
  const qualified = `${plural}${group === '' ? '' : `.${group}`}`;
  const named = access.name === undefined ? qualified : `${qualified} "${access.name}"`;
  const message = `${named} is forbidden: User "${identity.user}" cannot ${access.verb} resource "${plural}${subresource}" in API group "${group}" ${scope}`;
  throw new ApiError(
    { code: 403, reason: 'Forbidden', message, details: { name: access.name ?? '', group, kind: plural } },
    named,
  );
}

type Selection = Pick<ListOptions, 'namespace' | 'labelSelector' | 'fieldSelector'>;

function matcher(kind: ServedKind, options: Selection): Selector {
  try {
    const labels = parseLabelSelector(options.labelSelector);
    const fields = parseFieldSelector(options.fieldSelector, kind.selectableFields);
    const inScope = (object: unknown) =>
      options.namespace === undefined ||
      !kind.resource.namespaced ||
      at(object, 'metadata', 'namespace') === options.namespace;
    return (object) => inScope(object) && labels(object) && fields(object);
  } catch (error) {
    if (error instanceof SyntaxError) throw badRequest(kind.resource, { name: '' }, error.message);
    throw error;
  }
}

function listPage<T extends KubeObject>(
  state: FakeServerState,
  kind: ServedKind,
  resource: Resource<T>,
  options: ListOptions & { readonly continueToken?: string | undefined },
): ListPage<T> {
  const { continueToken } = options;
  const size = options.pageSize ?? defaultPageSize;
  const matches = matcher(kind, options);
  const kept = continueToken === undefined ? undefined : state.pages.get(continueToken);
  if (continueToken !== undefined && kept === undefined) throw resourceExpired(kind.resource, continueToken);
  const resourceVersion = kept?.resourceVersion ?? String(state.store.revision);
  const all =
    kept?.rest ??
    state.store
      .all(collectionOf(kind))
      .map(({ object }) => object)
      .filter(matches);
  const rest = all.slice(size);
  const next = rest.length === 0 ? undefined : `continue-${state.pages.size + 1}-at-${resourceVersion}`;
  if (next !== undefined) state.pages.set(next, { rest, resourceVersion });
  return {
    items: all.slice(0, size).map((object) => assertOf(resource, object)),
    resourceVersion,
    continueToken: next,
  };
}

async function execute(state: FakeServerState, request: ExecRequest): Promise<ExecResult> {
  if (state.store.find('/pods', podKey(request)) === undefined) throw notFound(core.pods, podKey(request));
  const about = `pods ${request.namespace}/${request.pod}`;
  if (state.options.onExec === undefined) {
    throw new StorkError({ code: 'ExecNotFaked', message: 'The fake API server was given no onExec.', about });
  }
  const answer = Promise.resolve(state.options.onExec(request));
  const { signal, timeoutMs } = request;
  const cut = Promise.withResolvers<never>();
  const onAbort = () => cut.reject(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  using _timer =
    timeoutMs === undefined
      ? undefined
      : state.options.clock.after(timeoutMs, () => cut.reject(execTimedOut(about, timeoutMs)));
  try {
    const result = await Promise.race([answer, cut.promise]);
    if (result.stdout !== '') request.onOutput?.('stdout', result.stdout);
    if (result.stderr !== '') request.onOutput?.('stderr', result.stderr);
    return { ...result, stdout: result.stdout.slice(-execTailBytes), stderr: result.stderr.slice(-execTailBytes) };
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

function typedEvent<T extends KubeObject>(resource: Resource<T>, event: WatchEvent<AnyObject>): WatchEvent<T> {
  return event.type === 'BOOKMARK' ? event : { type: event.type, object: assertOf(resource, event.object) };
}

/** The one cast of the fake: what is stored under a resource is of its type, as far as the caller's writes were. */
function assertOf<T extends KubeObject>(resource: Resource<T>, object: AnyObject): T {
  const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
  const typed: unknown = object.apiVersion === apiVersion ? object : Object.freeze({ ...object, apiVersion });
  return typed as T;
}
