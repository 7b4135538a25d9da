/**
 * The plan of the test bed: which clusters and nodes there are, with which
 * addresses, ports and names. Pure; every other file takes its numbers from here.
 *
 * Up to six beds can run side by side, told apart by a number; the first
 * lies in 10.250.1-2 (nodes), 10.244-245 (pods) and 10.96-97 (services). No
 * ranges overlap, because one host routes all of them.
 */

export type ClusterName = 'a' | 'b';

export interface NodePlan {
  readonly name: string;
  readonly cluster: ClusterName;
  readonly zone: string;
  readonly address: string;
  readonly podCidr: string;
  /** The host's end of the veth pair; at most 15 characters. */
  readonly hostVeth: string;
}

export interface ClusterPlan {
  readonly name: ClusterName;
  readonly bridge: string;
  /** Address of the bridge, where the API server and the DNS server listen. */
  readonly hostAddress: string;
  readonly nodeCidr: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly kubernetesServiceAddress: string;
  readonly dnsAddress: string;
  readonly apiServerPort: number;
  readonly etcdPort: number;
  readonly etcdPeerPort: number;
  readonly controllerManagerPort: number;
  readonly schedulerPort: number;
  readonly region: string;
  readonly nodes: readonly NodePlan[];
}

export interface BedPlan {
  /** Names the bed's cgroup and its state folder. */
  readonly name: string;
  /** iptables chains of our own. */
  readonly chains: { readonly forward: string; readonly link: string; readonly input: string };
  readonly a: ClusterPlan;
  readonly b: ClusterPlan;
}

/** The only port on the other cluster's nodes that is reachable by default. */
export const pairLinkPort = 30443;

export const clusterNames: readonly ClusterName[] = ['a', 'b'];

export const clusterDomain = 'cluster.local';

export const bedNumbers = [1, 2, 3, 4, 5, 6] as const;
export type BedNumber = (typeof bedNumbers)[number];

export function planBed(number: BedNumber = 1): BedPlan {
  const tag = number === 1 ? '' : String(number);
  const chain = (what: string) => `STORK-BED${tag}-${what}`;
  return {
    name: number === 1 ? 'stork-testbed' : `stork-testbed-${number}`,
    chains: { forward: chain('FWD'), link: chain('LINK'), input: chain('IN') },
    a: planCluster('a', number),
    b: planCluster('b', number),
  };
}

export function listClusters(plan: BedPlan): readonly ClusterPlan[] {
  return clusterNames.map((name) => plan[name]);
}

export function listNodes(plan: BedPlan): readonly NodePlan[] {
  return listClusters(plan).flatMap((cluster) => cluster.nodes);
}

export function parseClusterName(text: string): ClusterName | undefined {
  return clusterNames.find((name) => name === text.toLowerCase());
}

export function serverUrl(cluster: ClusterPlan): string {
  return `https://${cluster.hostAddress}:${cluster.apiServerPort}`;
}

/** Below those of the first three beds from the fourth on: 10.250 is the nodes'. */
const firstPodNet = (bed: BedNumber): number => (bed <= 3 ? 242 + 2 * bed : 230 + 2 * bed);

function planCluster(name: ClusterName, bed: BedNumber): ClusterPlan {
  const index = clusterNames.indexOf(name) + (bed - 1) * clusterNames.length;
  const tag = bed === 1 ? '' : String(bed);
  const nodeNet = `10.250.${index + 1}`;
  const podNet = `10.${firstPodNet(bed) + clusterNames.indexOf(name)}`;
  const serviceNet = `10.${96 + index}`;
  const firstPort = 21000 + index * 100;
  const nodes = [1, 2].map((number) => ({
    name: `stork-${name}-${number}`,
    cluster: name,
    zone: `zone-${name}${number}`,
    address: `${nodeNet}.${10 + number}`,
    podCidr: `${podNet}.${number}.0/24`,
    hostVeth: `stork-v${tag}-${name}${number}`,
  }));
  return {
    name,
    bridge: `stork-br${tag}-${name}`,
    hostAddress: `${nodeNet}.1`,
    nodeCidr: `${nodeNet}.0/24`,
    podCidr: `${podNet}.0.0/16`,
    serviceCidr: `${serviceNet}.0.0/16`,
    kubernetesServiceAddress: `${serviceNet}.0.1`,
    dnsAddress: `${serviceNet}.0.10`,
    apiServerPort: 6443,
    etcdPort: firstPort,
    etcdPeerPort: firstPort + 1,
    controllerManagerPort: firstPort + 2,
    schedulerPort: firstPort + 3,
    region: `region-${name}`,
    nodes,
  };
}
