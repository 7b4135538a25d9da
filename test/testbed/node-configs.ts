/**
 * The configuration files of one node: containerd, CNI, kubelet. Pure. Paths
 * are those inside the node's mount namespace, where a node looks like any
 * other: /var/lib/kubelet, /run/containerd and so on.
 */
import type { CgroupVersion } from './cgroups.ts';
import { type ClusterPlan, clusterDomain, type NodePlan } from './plan.ts';

/** Where a node finds its own part of the bed's state. */
export const nodeFolder = '/run/stork-node';

export const pauseImage = 'stork.test/pause:1';
export const containerdSocket = '/run/containerd/containerd.sock';

export const csiDriverName = 'csi.testbed.stork';

/** Where the CSI test driver keeps volumes: a btrfs of the node's own. */
export const volumesFolder = '/var/lib/stork-csi';

/** What is bound over the host's folders inside a node: name below the node's state, and where. */
export const nodeMounts: readonly (readonly [own: string, seenAt: string])[] = [
  ['kubelet', '/var/lib/kubelet'],
  ['containerd', '/var/lib/containerd'],
  ['cni-state', '/var/lib/cni'],
  ['cni-config', '/etc/cni/net.d'],
  ['log-pods', '/var/log/pods'],
  ['log-containers', '/var/log/containers'],
];

export function renderContainerdConfig(): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[grpc]
  address = "${containerdSocket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  device_ownership_from_security_context = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
`;
}

/** ptp rather than bridge: every packet of a pod is routed, so kube-proxy sees traffic between pods of one node too. */
export function renderCniConfig(node: NodePlan): string {
  const config = {
    cniVersion: '0.4.0',
    name: 'stork-testbed',
    plugins: [
      {
        type: 'ptp',
        ipMasq: false,
        mtu: 1500,
        ipam: {
          type: 'host-local',
          dataDir: '/var/lib/cni/networks',
          ranges: [[{ subnet: node.podCidr }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
  return JSON.stringify(config, undefined, 2);
}

/**
 * On cgroup v1 the kubelet must be told that v1 is meant. Its own hierarchy of
 * QoS cgroups is off on both versions, for several kubelets would share it; a
 * container's limits hold all the same. v2 was not tried.
 */
export function planKubeletConfig(cluster: ClusterPlan, cgroups: CgroupVersion): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    ...(cgroups === 'v1' ? { failCgroupV1: false } : {}),
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    failSwapOn: false,
    evictionHard: {},
    imageGCHighThresholdPercent: 100,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${nodeFolder}/pki/ca.crt` },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: `${nodeFolder}/pki/kubelet.crt`,
    tlsPrivateKeyFile: `${nodeFolder}/pki/kubelet.key`,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    // The default lies in /usr, which is the host's.
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
    clusterDomain,
    clusterDNS: [cluster.dnsAddress],
    resolvConf: `${nodeFolder}/resolv.conf`,
    readOnlyPort: 0,
    nodeStatusUpdateFrequency: '5s',
    // Volume work of ours waits on these; the defaults of a minute only slow tests down.
    syncFrequency: '10s',
    volumeStatsAggPeriod: '10s',
  };
}

export function kubeletArguments(cluster: ClusterPlan, node: NodePlan): readonly string[] {
  const labels = [`topology.kubernetes.io/zone=${node.zone}`, `topology.kubernetes.io/region=${cluster.region}`];
  return [
    `--config=${nodeFolder}/kubelet.json`,
    `--kubeconfig=${nodeFolder}/kubelet.kubeconfig`,
    `--hostname-override=${node.name}`,
    `--node-ip=${node.address}`,
    `--node-labels=${labels.join(',')}`,
    '--cert-dir=/var/lib/kubelet/pki',
  ];
}

export function kubeProxyArguments(cluster: ClusterPlan, node: NodePlan): readonly string[] {
  return [
    `--kubeconfig=${nodeFolder}/kube-proxy.kubeconfig`,
    `--hostname-override=${node.name}`,
    `--cluster-cidr=${cluster.podCidr}`,
    '--proxy-mode=iptables',
    '--conntrack-max-per-core=0',
  ];
}
