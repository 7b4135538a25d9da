/** A pair that needs no network: what each side's ClusterPair says of it, the peer over its link, and its revocation. */
import { agentNamespace } from '../../../crds/agent-names.ts';
import { parse } from '../../../crds/schema/index.ts';
import { clusterPairs } from '../../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../../kube/client/client.ts';
import { StorkError } from '../../../kube/errors.ts';
import type { PairFacts, Peer, PeerCall, PeerRoute } from '../../peer/peer.ts';
import { matchPath } from '../../peer/routes.ts';
import type { TestLink } from './two-clusters.ts';

/** The pair as each side's ClusterPair describes it. */
export const testPair: PairFacts = {
  id: 'pair-1',
  uid: 'uid-1',
  namespace: agentNamespace,
  name: 'pair',
  cluster: 'other',
  grant: { namespaces: ['*'], directions: ['Receive', 'Send'], clusterScopedKinds: [], serviceAccount: 'stork-peer' },
};

const key = { namespace: agentNamespace, name: 'pair' };

export const seenPair = {
  apiVersion: clusterPairs.apiVersion,
  kind: 'ClusterPair',
  metadata: key,
  spec: {},
  status: { pairId: testPair.id },
} as const;

/** The ClusterPair of a side is deleted, as its admin does; or its agent was told that the other's was. */
export async function revokePair({ client }: { readonly client: KubeClient }, by: 'Here' | 'There'): Promise<void> {
  if (by === 'Here') return void (await client.delete(clusterPairs, key));
  const lastTransitionTime = '2026-01-01T00:00:00Z';
  const ready = { type: 'Ready', status: 'False', reason: 'Revoked', message: 'revoked', lastTransitionTime };
  const body = { status: { conditions: [ready] } };
  await client.patch(clusterPairs, key, { type: 'merge', body }, { subresource: 'status' });
}

/** A peer as its agent knows it while the link is there; `ready` says whether it is. */
export function connectedPeer(cluster: string, parts: Pick<Peer, 'request'> & { ready(): 'Yes' | 'No' }): Peer {
  return {
    pairId: testPair.id,
    pair: `${testPair.namespace}/${testPair.name}`,
    cluster,
    grant: testPair.grant,
    get state() {
      if (parts.ready() === 'Yes') return { ready: 'Yes' } as const;
      return { ready: 'No', code: 'Disconnected', message: 'the link is cut' } as const;
    },
    link: {
      state: 'Connected',
      code: 'Connected',
      message: '',
      roundTripMs: 1,
      clockSkewMs: 0,
      lastSeen: undefined,
      cluster,
      version: '0',
    },
    request: parts.request,
    openStream: () => Promise.reject(new Error('movers are simulated')),
  };
}

const isCut = () => new StorkError({ code: 'PeerNotConnected', message: 'the link is cut', retryable: true });

export function directPeer(cluster: 'a' | 'b', link: TestLink, routes: () => readonly PeerRoute[]): Peer {
  const peer = connectedPeer(cluster, {
    ready: () => link.ready,
    async request<Out>(call: PeerCall<Out>): Promise<Out> {
      if (link.ready === 'No') throw isCut();
      link.requests += 1;
      const cut = link.cutAt?.request === link.requests ? link.cutAt.moment : undefined;
      if (cut === 'Before') throw isCut();
      const answer = await answerRequest(routes(), testPair, call);
      if (cut === 'After') throw isCut();
      return parse(call.answer, JSON.parse(JSON.stringify(answer)));
    },
  });
  const granted = { get: () => link.grant ?? testPair.grant, enumerable: true };
  return Object.defineProperty(peer, 'grant', granted);
}

/** What a side's routes answer to a peer: parsed, answered and rendered as over the link. */
export async function answerRequest(
  routes: readonly PeerRoute[],
  pair: PairFacts,
  call: Pick<PeerCall<unknown>, 'method' | 'path' | 'body'>,
): Promise<unknown> {
  const segments = call.path.split('/').map(decodeURIComponent);
  const found = routes.map((route) => ({ route, params: matchPath(route.path.split('/'), segments) }));
  const hit = found.find(
    ({ route, params }) => route.kind === 'json' && route.method === call.method && params !== undefined,
  );
  if (hit?.route.kind !== 'json') throw new Error(`no route ${call.method} ${call.path}`);
  const { route, params = {} } = hit;
  const body = route.body === undefined ? undefined : parse(route.body, JSON.parse(JSON.stringify(call.body)));
  const { signal } = new AbortController();
  return await hit.route.answer({ pair, params, query: new URLSearchParams(), body, operation: undefined, signal });
}
