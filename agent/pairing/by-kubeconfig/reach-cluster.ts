/**
 * From a ClusterPair's spec.config to a client of that cluster: the kubeconfig read strictly, its server's name resolved
 * once, the addresses judged, and only these addresses connected to.
 */
import { isIP } from 'node:net';
import type { KubeClient } from '../../../kube/client/client.ts';
import type { ClusterConfig } from '../../../kube/client/cluster-config.ts';
import { core } from '../../../kube/client/core.ts';
import { readEmbeddedKubeconfig } from '../../../kube/client/embedded-kubeconfig.ts';
import { StorkError } from '../../../kube/errors.ts';
import { decideName, decideServer, isAllowed, type ServerDecision } from './decide-server.ts';

/** How other clusters' API servers are reached; real in compose-leader.ts. */
export interface OtherClusters {
  connect(config: ClusterConfig): KubeClient;
  /** All addresses of a host; a name that ends in a dot is looked up as it is. @throws what node:dns throws */
  resolve(host: string): Promise<readonly string[]>;
  /** Hosts, addresses and CIDRs that are gone to whatever they are. */
  readonly allowed: readonly string[];
}

export interface ReachedCluster extends Disposable {
  readonly client: KubeClient;
  /** The server's URL, for messages. */
  readonly server: string;
}

/** @throws StorkError `KubeconfigRefused`, `KubeconfigUnreachable` */
export async function reachCluster(
  kubeconfig: unknown,
  {
    client: own,
    others,
    signal,
  }: { readonly client: KubeClient; readonly others: OtherClusters; readonly signal: AbortSignal },
): Promise<ReachedCluster> {
  const config = readEmbeddedKubeconfig(kubeconfig, 'spec.config');
  const addresses = await judgedAddresses(config.server, { own, others, signal });
  const client = others.connect({ ...config, addresses });
  return { client, server: config.server, [Symbol.dispose]: () => client.close() };
}

async function judgedAddresses(
  server: string,
  { own, others, signal }: { readonly own: KubeClient; readonly others: OtherClusters; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const host = new URL(server).hostname.replace(/^\[|\]$/g, '');
  if (isAllowed(host, others.allowed)) return resolve(host, server, others);
  insist(decideName(host), server);
  // With the dot no search domain is tried: of those, most are inside this cluster.
  const addresses = isIP(host) === 0 ? await resolve(host.replace(/\.?$/, '.'), server, others) : [host];
  const judged = addresses.filter((address) => !isAllowed(address, others.allowed));
  if (judged.length > 0) {
    insist(decideServer({ addresses: judged, inside: undefined }), server);
    insist(decideServer({ addresses: judged, inside: await findInside(own, judged, signal) }), server);
  }
  return addresses;
}

async function resolve(host: string, server: string, others: OtherClusters): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  try {
    return await others.resolve(host);
  } catch (cause) {
    const hint = 'The agent resolves names as a pod of this cluster does: check it there, or name an address.';
    const message = `The host of ${server} can't be resolved`;
    throw new StorkError({ code: 'KubeconfigUnreachable', message, about: server, hint, retryable: true, cause });
  }
}

/** A Service or pod of this cluster that has one of the addresses. Pods on the host's network have the node's. */
async function findInside(
  client: KubeClient,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const address of addresses) {
    const services = { fieldSelector: `spec.clusterIP=${address}`, signal };
    for await (const { metadata } of client.list(core.services, services))
      return `Service ${metadata.namespace}/${metadata.name}`;
    const pods = { fieldSelector: `status.podIP=${address}`, signal };
    for await (const { metadata, spec } of client.list(core.pods, pods)) {
      if (spec?.hostNetwork !== true) return `Pod ${metadata.namespace}/${metadata.name}`;
    }
  }
  return undefined;
}

function insist(decision: ServerDecision, server: string): void {
  if (decision.do === 'go') return;
  throw new StorkError({
    code: 'KubeconfigRefused',
    message: `The server ${server} of spec.config ${decision.what}, and the agent goes to no such server`,
    about: server,
    hint: "If it is the other cluster all the same, this cluster's admin can allow it: `kubectl stork install --kubeconfig-server HOST`.",
  });
}
