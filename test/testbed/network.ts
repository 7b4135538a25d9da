/**
 * The network between the clusters: one bridge per cluster on the host, and an
 * allow-list between the bridges. By default only the pair link passes: TCP to
 * NodePort 30443 on the other cluster's nodes. Everything else between the
 * clusters, to the other cluster's API server and to the outside is dropped.
 *
 * All our rules lie in chains of our own, so that they can be removed whole and
 * the host's rules stay as they were. Idempotent.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BedPlan, type ClusterPlan, listClusters, pairLinkPort } from './plan.ts';
import { runCommand, runScript, tryCommand } from './run-command.ts';

const wantedInotifyInstances = 1024;

export async function createNetwork(plan: BedPlan): Promise<void> {
  for (const cluster of listClusters(plan)) {
    await runScript(
      `ip link show "$1" >/dev/null 2>&1 || ip link add "$1" type bridge
       ip addr replace "$2/24" dev "$1"
       ip link set "$1" up`,
      [cluster.bridge, cluster.hostAddress],
    );
  }
  await raiseInotifyLimit();
  await removeRules(plan);
  const input = renderRules(plan);
  await despiteOthers(() => runCommand('iptables-restore', ['--noflush', '--wait'], { input }));
}

const triesBesideOthers = 5;

/** Another bed's rules are changed at the same time: the kernel may refuse one of two, and a listing that was interrupted. */
async function despiteOthers<Result>(run: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++)
    try {
      return await run();
    } catch (error) {
      if (attempt === triesBesideOthers) throw error;
      await sleep(200 * attempt);
    }
}

/** Routes to pods need the nodes' veths up, so they come after the nodes. */
export async function createPodRoutes(plan: BedPlan): Promise<void> {
  for (const cluster of listClusters(plan)) {
    for (const node of cluster.nodes) {
      await runCommand('ip', ['route', 'replace', node.podCidr, 'via', node.address, 'dev', cluster.bridge]);
    }
  }
}

export async function removeNetwork(plan: BedPlan): Promise<void> {
  await removeRules(plan);
  for (const cluster of listClusters(plan)) {
    for (const device of [...cluster.nodes.map((node) => node.hostVeth), cluster.bridge]) {
      await tryCommand('ip', ['link', 'del', device]);
    }
  }
}

export async function findNetworkLeftovers(plan: BedPlan): Promise<readonly string[]> {
  const rules = (await despiteOthers(() => runCommand('iptables-save', [])))
    .split('\n')
    .filter((line) => Object.values(plan.chains).some((chain) => line.includes(chain)));
  const links = JSON.parse(await runCommand('ip', ['-j', 'link'])) as readonly { ifname: string }[];
  const ours = listClusters(plan).flatMap((cluster) => [cluster.bridge, ...cluster.nodes.map((node) => node.hostVeth)]);
  return [...rules, ...links.map((link) => link.ifname).filter((name) => ours.includes(name))];
}

/** @returns input for iptables-restore; exported for its test. */
export function renderRules(plan: BedPlan): string {
  const { chains } = plan;
  const clusters = listClusters(plan);
  const link = clusters.flatMap((from) =>
    clusters.filter((to) => to !== from).flatMap((to) => renderPairLink(chains.link, from, to)),
  );
  return [
    '*filter',
    ...Object.values(chains).map((chain) => `:${chain} - [0:0]`),
    `-I FORWARD 1 -j ${chains.forward}`,
    `-I INPUT 1 -j ${chains.input}`,
    // With br_netfilter the bridge's own traffic passes here too.
    ...clusters.map(({ bridge }) => `-A ${chains.forward} -i ${bridge} -o ${bridge} -j ACCEPT`),
    ...clusters.map(({ bridge }) => `-A ${chains.forward} -i ${bridge} -j ${chains.link}`),
    ...clusters.map(({ bridge }) => `-A ${chains.forward} -i ${bridge} -j DROP`),
    ...clusters.map(({ bridge }) => `-A ${chains.forward} -o ${bridge} -j DROP`),
    ...link,
    ...clusters.flatMap((cluster) => renderInput(chains.input, cluster)),
    'COMMIT',
    '',
  ].join('\n');
}

/** New connections to the port only; what they answer comes back. */
function renderPairLink(chain: string, from: ClusterPlan, to: ClusterPlan): readonly string[] {
  const own = `-A ${chain} -i ${from.bridge} -o ${to.bridge}`;
  return [
    ...to.nodes.map((node) => `${own} -p tcp -d ${node.address} --dport ${pairLinkPort} -j ACCEPT`),
    `${own} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT`,
  ];
}

/** A cluster reaches on the host: its own API server and DNS server, and answers to the host's own requests. */
function renderInput(chain: string, { bridge, hostAddress, apiServerPort }: ClusterPlan): readonly string[] {
  const own = `-A ${chain} -i ${bridge} -d ${hostAddress}`;
  return [
    `-A ${chain} -i ${bridge} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT`,
    `${own} -p tcp --dport ${apiServerPort} -j ACCEPT`,
    `${own} -p udp --dport 53 -j ACCEPT`,
    `${own} -p tcp --dport 53 -j ACCEPT`,
    `${own} -p icmp -j ACCEPT`,
    `-A ${chain} -i ${bridge} -j DROP`,
  ];
}

async function removeRules({ chains }: BedPlan): Promise<void> {
  for (const [hook, chain] of [
    ['FORWARD', chains.forward],
    ['INPUT', chains.input],
  ] as const) {
    while (await tryCommand('iptables', ['-w', '-D', hook, '-j', chain])) {
      // Once per time it was inserted.
    }
  }
  for (const chain of Object.values(chains)) await tryCommand('iptables', ['-w', '-F', chain]);
  for (const chain of Object.values(chains)) await tryCommand('iptables', ['-w', '-X', chain]);
}

/** Each node's kubelet and containerd watch files; Linux allows 128 watchers, which two beds use up. Only ever raised. */
async function raiseInotifyLimit(): Promise<void> {
  const limit = '/proc/sys/fs/inotify/max_user_instances';
  if (Number(await readFile(limit, 'utf8')) < wantedInotifyInstances)
    await writeFile(limit, String(wantedInotifyInstances));
}
