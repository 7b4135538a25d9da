/**
 * Whether the agent goes to a server that a ClusterPair's kubeconfig names. Whoever may write a ClusterPair could otherwise
 * make the agent, which stands inside, knock at addresses that only the inside reaches. Pure.
 */
import { BlockList, isIP, isIPv6 } from 'node:net';

export interface ServerFacts {
  /** What the server's host stands for. */
  readonly addresses: readonly string[];
  /** The object of this cluster that has one of the addresses, e.g. `Service default/kubernetes`. */
  readonly inside: string | undefined;
}

export type ServerDecision =
  | { readonly do: 'go' }
  /** `what` follows the server's name in a sentence. */
  | { readonly do: 'refuse'; readonly what: string };

/** The allow-list: hosts, addresses and CIDRs. */
export function isAllowed(host: string, allowed: readonly string[]): boolean {
  if (allowed.includes(host)) return true;
  const kind = isIP(host);
  if (kind === 0) return false;
  const ranges = new BlockList();
  for (const range of allowed) {
    const [network = '', prefix = ''] = range.split('/');
    const family = isIP(network);
    if (family !== 0 && /^\d{1,3}$/.test(prefix)) ranges.addSubnet(network, Number(prefix), familyOf(network));
  }
  return ranges.check(host, familyOf(host));
}

/** What a name says before anybody is asked for its address. */
export function decideName(host: string): ServerDecision {
  if (isIP(host) !== 0) return { do: 'go' };
  const name = host.toLowerCase().replace(/\.$/, '');
  if (name === 'localhost' || name.endsWith('.localhost')) return refuse('is this pod itself');
  if (!name.includes('.')) return refuse('is a name of this network only: use a full one');
  if (/\.svc(\.|$)/.test(name) || name.endsWith('.cluster.local')) return refuse('is a name inside this cluster');
  return { do: 'go' };
}

export function decideServer({ addresses, inside }: ServerFacts): ServerDecision {
  if (addresses.length === 0) return refuse('has no address');
  for (const address of addresses) {
    const denied = deniedRanges.find(([, list]) => list.check(address, familyOf(address)))?.[0];
    const kind = denied ?? (isDisguised(address) ? 'an IPv4 address in disguise' : undefined);
    if (kind !== undefined) return refuse(`stands for ${address}, which is ${kind}`);
  }
  return inside === undefined ? { do: 'go' } : refuse(`stands for an address inside this cluster (${inside})`);
}

const refuse = (what: string): ServerDecision => ({ do: 'refuse', what });

const familyOf = (address: string) => (isIPv6(address) ? 'ipv6' : 'ipv4');

const deniedRanges: readonly (readonly [string, BlockList])[] = [
  ['a loopback address', blockList('127.0.0.0/8', '::1/128')],
  ['no address of a server', blockList('0.0.0.0/8', '224.0.0.0/4', '240.0.0.0/4', '::/128', 'ff00::/8')],
  ['a link-local address', blockList('169.254.0.0/16', 'fe80::/10')],
  ["a cloud's own service", blockList('192.0.0.0/24', '100.100.100.200/32', 'fd00:ec2::/32')],
];

const disguises = blockList('::ffff:0:0/96', '64:ff9b::/96', '2002::/16');

/** Nobody writes a server as IPv4 inside IPv6, unless to hide it. The list matches plain IPv4 too, hence the question. */
const isDisguised = (address: string) => isIPv6(address) && disguises.check(address, 'ipv6');

function blockList(...ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', prefix = ''] = range.split('/');
    list.addSubnet(network, Number(prefix), familyOf(network));
  }
  return list;
}
