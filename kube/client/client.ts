/**
 * The client of one cluster, as a value: whoever holds two clusters holds two of these.
 * `createKubeClient` (create-kube-client.ts) talks to a real API server, `fakeApiServer().client()` (kube/fake) to memory;
 * both pass the one suite in kube/client/conformance.
 */
import type { ObjectMeta, OwnerReference } from '../../crds/schema/index.ts';
import type { ApiError } from '../errors.ts';

export type { ObjectMeta, OwnerReference };

/** What every object has. Kinds we know are narrower types (crds/v1alpha1, kube/client/core.ts). */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** An object of a kind we don't know at compile time. */
export type AnyObject = KubeObject & { readonly [field: string]: unknown };

/** Names a kind on the wire. `T` is a phantom: it types what verbs on this resource return. */
export interface Resource<T extends KubeObject = AnyObject> {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly __object?: T;
}

/** Any resource, where the type of its objects doesn't matter. */
export type AnyResource = Resource<KubeObject>;

export interface ObjectKey {
  readonly namespace?: string | undefined;
  readonly name: string;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface ListOptions extends CallOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Objects per page; 500 unless told. */
  readonly pageSize?: number | undefined;
}

export interface ListPage<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  readonly continueToken: string | undefined;
}

export interface WatchOptions extends CallOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion: string;
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface WriteOptions extends CallOptions {
  readonly fieldManager?: string | undefined;
  readonly dryRun?: 'All' | undefined;
  readonly subresource?: 'status' | 'scale' | undefined;
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  /** Takes over fields that other managers own. Without it such a field is a Conflict. */
  readonly conflicts?: 'Refuse' | 'Force' | undefined;
}

export type Patch =
  | { readonly type: 'json'; readonly body: readonly JsonPatchOperation[] }
  | { readonly type: 'merge' | 'strategic'; readonly body: Readonly<Record<string, unknown>> };

export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

export interface DeleteOptions extends CallOptions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  readonly gracePeriodSeconds?: number | undefined;
}

/** The identity a call is made as (`Impersonate-*` headers). */
export interface Impersonation {
  readonly user: string;
  readonly groups?: readonly string[] | undefined;
  readonly uid?: string | undefined;
}

export interface ExecRequest extends CallOptions {
  readonly namespace: string;
  readonly pod: string;
  readonly container?: string | undefined;
  readonly command: readonly string[];
  readonly stdin?: string | undefined;
  /** Ends the call (not necessarily the process) after this long. */
  readonly timeoutMs?: number | undefined;
  /** Called with each piece as it arrives; pieces beyond the result's cap still arrive here. */
  readonly onOutput?: ((stream: 'stdout' | 'stderr', text: string) => void) | undefined;
}

export interface ExecResult {
  readonly exitCode: number;
  /** The last 64 KiB of each stream. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface LogsRequest extends CallOptions {
  readonly namespace: string;
  readonly pod: string;
  readonly container?: string | undefined;
  readonly tailLines?: number | undefined;
  /** RFC 3339; earlier lines are left out, to the second. */
  readonly sinceTime?: string | undefined;
  /** Each line begins with its time and a space. */
  readonly timestamps?: 'Yes' | undefined;
  readonly previous?: 'Yes' | undefined;
}

/** One kind the server serves, from aggregated discovery. */
export interface ServedResource extends Resource {
  readonly verbs: readonly string[];
  readonly categories: readonly string[];
  /** Whether this version is the one its group prefers. */
  readonly preferred: boolean;
}

/**
 * Every method rejects with {@link ApiError} for an answer other than 2xx, with a StorkError `ApiServerUnreachable` when
 * no answer came, and with the signal's reason when aborted. 429 and 503 with Retry-After are retried a bounded number of
 * times; a write whose answer was lost is not retried here (callers' writes are idempotent, they repeat them).
 * All writes send fieldValidation=Strict.
 */
export interface KubeClient {
  /** The server's URL, for messages. */
  readonly server: string;
  get<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options?: CallOptions): Promise<T>;
  /** As `get`, but `undefined` for NotFound. */
  find<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options?: CallOptions): Promise<T | undefined>;
  listPage<T extends KubeObject>(
    resource: Resource<T>,
    options?: ListOptions & { readonly continueToken?: string | undefined },
  ): Promise<ListPage<T>>;
  /** All objects, page by page; each has apiVersion and kind. An expired continue token restarts the list. */
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): AsyncIterable<T>;
  /**
   * What happens after `resourceVersion`; from '0', first what is there as ADDED. Asks for bookmarks. Ends normally when the
   * server ends it; rejects with a 410 ApiError when resourceVersion is too old, with ApiServerUnreachable when the
   * connection breaks or falls silent. Connects on the first `next()`.
   */
  watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  /** PUT: `metadata.resourceVersion` must be set. */
  replace<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  /** Server-side apply. Set `metadata.resourceVersion` to pin it (a lost race is a Conflict). */
  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: Partial<T> & KubeObject,
    options: ApplyOptions,
  ): Promise<T>;
  patch<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, patch: Patch, options?: WriteOptions): Promise<T>;
  /**
   * Resolves to the object while it lingers (finalizers, a pod's grace period), `undefined` when nothing is left of it:
   * it is gone now, or didn't exist.
   */
  delete<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options?: DeleteOptions): Promise<T | undefined>;
  exec(request: ExecRequest): Promise<ExecResult>;
  logs(request: LogsRequest): Promise<string>;
  /** All served kinds, one entry per group, version and plural; cached for a minute. */
  discover(options?: CallOptions): Promise<readonly ServedResource[]>;
  /** The server's version, e.g. `v1.36.3`. */
  version(options?: CallOptions): Promise<string>;
  /** Any JSON endpoint (TokenReview-like creates have typed verbs; this is for the rest). */
  request(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    options?: CallOptions & { readonly body?: unknown; readonly contentType?: string },
  ): Promise<unknown>;
  /** The same connections, acting as somebody else. */
  as(identity: Impersonation): KubeClient;
  /** Closes the connection pool. */
  close(): void;
}

export type { ApiError };
