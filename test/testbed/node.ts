/**
 * One node: a network and a mount namespace of its own, held open by a `sleep`
 * (the holder), with containerd, kubelet and kube-proxy inside. Because both
 * namespaces live only as long as processes in them do, killing the processes
 * also removes mounts, loop devices, pods' networks and the veth.
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Binaries } from './binaries.ts';
import { detectCgroupVersion } from './cgroups.ts';
import type { Daemons } from './daemons.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { isAlive } from './lock.ts';
import {
  containerdSocket,
  csiDriverName,
  kubeletArguments,
  kubeProxyArguments,
  nodeFolder,
  nodeMounts,
  planKubeletConfig,
  renderCniConfig,
  renderContainerdConfig,
  volumesFolder,
} from './node-configs.ts';
import type { Pki } from './pki.ts';
import { nodePlace, type Places } from './places.ts';
import { type ClusterPlan, type NodePlan, serverUrl } from './plan.ts';
import { runCommand, runScript } from './run-command.ts';

export interface NodeInputs {
  readonly places: Places;
  readonly binaries: Binaries;
  readonly daemons: Daemons;
  readonly cluster: ClusterPlan;
  readonly node: NodePlan;
}

/** A node whose namespaces and containerd run; the kubelet comes when the API server does. */
export interface PreparedNode {
  readonly holderPid: number;
  /** Prefix for a command that shall run inside the node. */
  readonly enter: readonly string[];
}

const volumesImageSize = '40G';
/** Ends a hang; a machine that is busy with other things may take long. */
const startLimitMs = 120_000;

export async function prepareNode(inputs: NodeInputs): Promise<PreparedNode> {
  const { places, daemons, cluster, node } = inputs;
  const own = nodePlace(places, node.name);
  await writeNodeFiles(own, inputs);
  const holder = await daemons.start(`${node.name}-holder`, [
    ...['unshare', '--mount', '--net', '--propagation', 'slave', 'sh', '-euc', renderHolderScript()],
    ...['holder', own, places.state],
  ]);
  await waitFor(`${node.name}'s namespaces`, () => {
    if (!isAlive(holder)) throw new Error(`${node.name}: the holder ended; see ${places.state}/logs`);
    return existsSync(join(own, 'holder-ready'));
  });
  await joinNetwork(cluster, node, holder.pid);
  const enter = enterNode(holder.pid);
  await daemons.start(`${node.name}-containerd`, [...enter, 'containerd', '--config', `${nodeFolder}/containerd.toml`]);
  return { holderPid: holder.pid, enter };
}

export async function startNodeAgents(inputs: NodeInputs, prepared: PreparedNode, pki: Pki): Promise<void> {
  const { places, binaries, daemons, cluster, node } = inputs;
  await writeNodeCredentials(nodePlace(places, node.name), inputs, pki);
  await waitFor(`${node.name}'s containerd`, () => answersContainerd(prepared));
  const kubelet = [binaries.path('kubelet'), ...kubeletArguments(cluster, node)];
  const proxy = [binaries.path('kube-proxy'), ...kubeProxyArguments(cluster, node)];
  await daemons.start(`${node.name}-kubelet`, [...prepared.enter, ...kubelet]);
  await daemons.start(`${node.name}-kube-proxy`, [...prepared.enter, ...proxy]);
}

/** Imports an image archive (docker or OCI layout) so that pods on the node find it. */
export async function importImage(enter: readonly string[], archive: string): Promise<void> {
  const [program = '', ...args] = enter;
  // The archive's path may be hidden inside the node, so it comes through stdin.
  const command = [...args, 'ctr', '--address', containerdSocket, '-n', 'k8s.io', 'images', 'import', '-'];
  const quoted = [program, ...command].map((word) => `'${word}'`).join(' ');
  await runScript(`${quoted} < "$1"`, [archive], { timeoutMs: 600_000 });
}

export function enterNode(holderPid: number): readonly string[] {
  return ['nsenter', `--mount=/proc/${holderPid}/ns/mnt`, `--net=/proc/${holderPid}/ns/net`, '--'];
}

export async function waitFor(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  limitMs = startLimitMs,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`${what}: not there after ${limitMs / 1000} s`);
    await sleep(200);
  }
}

async function writeNodeFiles(own: string, { cluster, node }: NodeInputs): Promise<void> {
  for (const [name] of nodeMounts) await mkdir(join(own, name), { recursive: true });
  await mkdir(join(own, 'kubelet', 'plugins_registry'), { recursive: true });
  await mkdir(join(own, 'kubelet', 'plugins', csiDriverName), { recursive: true });
  await writeFile(join(own, 'containerd.toml'), renderContainerdConfig());
  await writeFile(join(own, 'cni-config', '10-stork-testbed.conflist'), renderCniConfig(node));
  await writeFile(join(own, 'resolv.conf'), '# the bed has no way to the outside\n');
  const kubelet = planKubeletConfig(cluster, detectCgroupVersion());
  await writeFile(join(own, 'kubelet.json'), JSON.stringify(kubelet, undefined, 2));
  const image = join(own, 'volumes.img');
  await runCommand('truncate', ['-s', volumesImageSize, image]);
  await runCommand('mkfs.btrfs', ['-q', '-f', '-L', node.name, image]);
}

/**
 * $1: the node's state, $2: the bed's state, which is hidden from the node but
 * for its own part. The loop device frees itself when the last mount goes.
 */
function renderHolderScript(): string {
  return [
    'mount -t tmpfs -o mode=755 tmpfs /run',
    `mkdir -p ${nodeFolder} /run/lock`,
    `mount --bind "$1" ${nodeFolder}`,
    ...nodeMounts.map(([own, seenAt]) => `mount --bind "$1/${own}" ${seenAt}`),
    `mount -o loop,noatime "$1/volumes.img" ${volumesFolder}`,
    `btrfs quota enable ${volumesFolder}`,
    'mount -t tmpfs -o mode=755 tmpfs "$2"',
    'mount --make-rshared /',
    'ip link set lo up',
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    `touch ${nodeFolder}/holder-ready`,
    'exec sleep infinity',
  ].join('\n');
}

async function joinNetwork(cluster: ClusterPlan, node: NodePlan, pid: number): Promise<void> {
  await runScript(
    `ip link add "$1" type veth peer name eth0 netns "$2"
     ip link set "$1" master "$3" up`,
    [node.hostVeth, String(pid), cluster.bridge],
  );
  const neighbours = cluster.nodes.filter((other) => other.name !== node.name);
  const script = [
    `ip addr add ${node.address}/24 dev eth0`,
    'ip link set eth0 up',
    `ip route add default via ${cluster.hostAddress}`,
    ...neighbours.map((other) => `ip route add ${other.podCidr} via ${other.address}`),
    // Outside the cluster nobody knows pod addresses: traffic leaves as the node's, like in most clusters.
    `iptables -w -t nat -A POSTROUTING -s ${node.podCidr} ! -d ${cluster.podCidr} -j MASQUERADE`,
  ].join('\n');
  await runCommand('nsenter', [...enterNode(pid).slice(1), 'sh', '-euc', script]);
}

async function writeNodeCredentials(own: string, { cluster, node }: NodeInputs, pki: Pki): Promise<void> {
  const folder = join(own, 'pki');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const kubelet = await pki.issue({
    file: node.name,
    user: `system:node:${node.name}`,
    groups: ['system:nodes'],
    addresses: [node.address],
    names: [node.name],
  });
  const proxy = await pki.issue({
    file: `${node.name}-proxy`,
    user: 'system:kube-proxy',
    groups: [],
    addresses: [],
    names: [],
  });
  await copyFile(pki.ca.certificate, join(folder, 'ca.crt'));
  await copyFile(kubelet.certificate, join(folder, 'kubelet.crt'));
  await copyFile(kubelet.key, join(folder, 'kubelet.key'));
  const entry = { context: cluster.name, url: serverUrl(cluster), caCertificate: pki.ca.certificate };
  await writeKubeconfig(join(own, 'kubelet.kubeconfig'), [{ ...entry, credential: kubelet }]);
  await writeKubeconfig(join(own, 'kube-proxy.kubeconfig'), [{ ...entry, credential: proxy }]);
}

async function answersContainerd({ enter }: PreparedNode): Promise<boolean> {
  const [program = '', ...args] = enter;
  try {
    await runCommand(program, [...args, 'ctr', '--address', containerdSocket, 'version'], { timeoutMs: 5000 });
    return true;
  } catch {
    return false;
  }
}
