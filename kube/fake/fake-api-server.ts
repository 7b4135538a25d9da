/**
 * An API server in memory with the real one's semantics for what our controllers use, and no more: resourceVersions and
 * conflicts, uid, generation, status subresource, finalizers and graceful pods, garbage collection, namespaces, selectors,
 * pages, watches with bookmarks and 410, server-side apply with field ownership, CRDs with defaults and validation.
 *
 * Not here: built-in kinds' schemas, defaults and immutable fields; CEL (but `serve` runs our own kinds' rules); admission webhooks (but `admitCreate`); RBAC (but `authorize`);
 * every controller but those named in collector.ts (garbage, namespaces, protection of claims and volumes). kube/client/conformance says what the real server shows too.
 */
import { type Kind, renderCrd } from '../../crds/schema/index.ts';
import type {
  AnyObject,
  AnyResource,
  ExecRequest,
  ExecResult,
  Impersonation,
  KubeClient,
  KubeObject,
  LogsRequest,
  Resource,
} from '../client/client.ts';
import type { Clock } from '../clock.ts';
import { assertObject } from './admission.ts';
import { noSuchResource } from './api-refusals.ts';
import { createCollector } from './collector.ts';
import { assertDefinitionSpec, type CheckRules, type DefinitionSpec, rulesOf } from './custom-resource-definition.ts';
import { fakeClient } from './fake-client.ts';
import type { WatchControls } from './fake-watch.ts';
import { frozenCopy } from './json-value.ts';
import { createObjectStore, type ObjectStore } from './object-store.ts';
import { createObjectWrites, type ObjectWrites } from './object-writes.ts';
import { builtInKinds, collectionOf, customKinds, type ServedKind } from './served-kinds.ts';

/** One access as RBAC sees it. */
export interface Access {
  readonly identity: Impersonation;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

export interface FakeApiServerOptions {
  readonly clock: Clock;
  /** As `v1.36.3`. */
  readonly version?: string | undefined;
  /** Who may do what; also answers (Self)SubjectAccessReviews. Everything is allowed unless given. */
  readonly authorize?: ((access: Access) => 'Allow' | 'Deny') | undefined;
  /** What mutating admission makes of an object that is being created. @throws ApiError to refuse it */
  readonly admitCreate?: ((object: KubeObject, identity: Impersonation) => KubeObject) | undefined;
  /** Runs a command in a pod. @throws whatever `exec` shall reject with */
  readonly onExec?: ((request: ExecRequest) => ExecResult | Promise<ExecResult>) | undefined;
  readonly onLogs?: ((request: LogsRequest) => string | Promise<string>) | undefined;
  /** The status of a TokenReview; unauthenticated unless given. */
  readonly onTokenReview?:
    | ((spec: { readonly token: string; readonly audiences: readonly string[] }) => TokenStatus)
    | undefined;
  /** Answers `request` for paths the fake doesn't know. */
  readonly onRequest?: ((method: string, path: string, body: unknown) => unknown) | undefined;
}

export interface TokenStatus {
  readonly authenticated: boolean;
  readonly audiences?: readonly string[];
  readonly user?: {
    readonly username: string;
    readonly uid?: string;
    readonly groups?: readonly string[];
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
}

export interface FakeApiServer {
  /** A client acting as `identity`, a cluster admin unless given. All clients see the same objects. */
  client(identity?: Impersonation): KubeClient;
  /** Serves the CRD's kinds, as creating it through a client does. CEL rules are not evaluated. */
  register(crd: { readonly spec: unknown }): void;
  /** Serves kinds of ours as their CRDs would, with their rules. */
  serve(...kinds: readonly Kind[]): void;
  /** Puts an object as it is, status included, past all admission; for setting a stage. Makes its namespace too. */
  seed<T extends KubeObject>(resource: Resource<T>, object: Partial<T> & KubeObject): void;
  /** Every object, for assertions on the state of the world. */
  objects(): readonly AnyObject[];
  readonly watches: {
    /** How many are open. */
    readonly count: number;
    bookmark(): void;
    end(): void;
    drop(): void;
    stall(): void;
    resume(): void;
  };
  /** Forgets the history: older resourceVersions and all continue tokens are answered with 410. */
  expireHistory(): void;
}

/** What a client of the fake works on. */
export interface FakeServerState {
  readonly options: FakeApiServerOptions;
  readonly store: ObjectStore;
  readonly writes: ObjectWrites;
  readonly openWatches: Set<WatchControls>;
  /** Rests of lists by continue token. */
  readonly pages: Map<string, { readonly rest: readonly AnyObject[]; readonly resourceVersion: string }>;
  readonly kinds: () => readonly ServedKind[];
  /** @throws ApiError NotFound for a kind that isn't served */
  getKind(resource: AnyResource): ServedKind;
  register(spec: DefinitionSpec, rules?: CheckRules): void;
  unregister(spec: DefinitionSpec): void;
}

const initialNamespaces = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

export function fakeApiServer(options: FakeApiServerOptions): FakeApiServer {
  const state = createState(options);
  const namespaceKind = state.getKind(namespaces);
  const ensureNamespace = (name: string) => {
    if (state.store.find('/namespaces', { name }) !== undefined) return;
    state.writes.create(namespaceKind, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, {});
  };
  for (const name of initialNamespaces) ensureNamespace(name);
  const each = (act: (watch: WatchControls) => void) => () => {
    for (const watch of [...state.openWatches]) act(watch);
  };
  return {
    client: (identity) => fakeClient(state, identity ?? { user: 'kubernetes-admin', groups: ['system:masters'] }),
    register: (crd) => state.register(assertDefinitionSpec(crd.spec)),
    serve(...served) {
      for (const kind of served) state.register(assertDefinitionSpec(renderCrd(kind).spec), rulesOf(kind));
    },
    seed(resource, object) {
      const kind = state.getKind(resource);
      const { namespace } = object.metadata;
      if (namespace !== undefined) ensureNamespace(namespace);
      const seeded = state.writes.seed(kind, object);
      state.store.put(collectionOf(kind), { object: assertObject(frozenCopy(seeded)), managers: [] });
    },
    objects: () => [...state.store.everything()].map(([, stored]) => stored.object),
    watches: {
      get count() {
        return state.openWatches.size;
      },
      bookmark: each((watch) => watch.bookmark()),
      end: each((watch) => watch.end()),
      drop: each((watch) => watch.drop()),
      stall: each((watch) => watch.flow('Stalled')),
      resume: each((watch) => watch.flow('Flowing')),
    },
    expireHistory() {
      state.store.compact();
      state.pages.clear();
    },
  };
}

const namespaces: AnyResource = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};

function createState(options: FakeApiServerOptions): FakeServerState {
  const store = createObjectStore();
  let kinds: readonly ServedKind[] = builtInKinds();
  const now = () => `${options.clock.now().toISOString().slice(0, 19)}Z`;
  const kindOf = (collection: string): ServedKind => {
    const found = kinds.find((kind) => collectionOf(kind) === collection);
    if (found === undefined) throw new TypeError(`no kind is stored under ${collection}`);
    return found;
  };
  let made = 0;
  const environment = {
    store,
    collector: createCollector(store, kindOf, now),
    now,
    newUid: () => `00000000-0000-4000-8000-${String(++made).padStart(12, '0')}`,
    newSuffix: () => suffix(++made),
  };
  const dropKinds = ({ group, names }: DefinitionSpec) => {
    kinds = kinds.filter(({ resource }) => resource.group !== group || resource.plural !== names.plural);
  };
  return {
    options,
    store,
    writes: createObjectWrites(environment),
    openWatches: new Set(),
    pages: new Map(),
    kinds: () => kinds,
    getKind(resource) {
      const { group, version, plural } = resource;
      const found = kinds.find((kind) => {
        const served = kind.resource;
        return served.group === group && served.version === version && served.plural === plural;
      });
      if (found === undefined) throw noSuchResource(resource);
      return found;
    },
    register(spec, rules) {
      dropKinds(spec);
      kinds = [...kinds, ...customKinds(spec, rules)];
    },
    unregister(spec) {
      const collection = `${spec.group}/${spec.names.plural}`;
      for (const { object } of store.all(collection)) store.remove(collection, object.metadata);
      dropKinds(spec);
    },
  };
}

const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789';

/** Five letters that differ for each number: the same run gives the same names. */
function suffix(number: number): string {
  let rest = (number * 7_654_321) % suffixLetters.length ** 5;
  let text = '';
  for (let at = 0; at < 5; at += 1) {
    text += suffixLetters[rest % suffixLetters.length];
    rest = Math.floor(rest / suffixLetters.length);
  }
  return text;
}
