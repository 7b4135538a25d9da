/** What every cluster of the bed gets on top of the control plane: DNS. The storage part is in storage.ts. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { ClusterInputs, StartedCluster } from './cluster.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { clusterPlace } from './places.ts';
import { type ClusterPlan, clusterDomain } from './plan.ts';

/** CoreDNS on the host at the bridge's address; the Service kube-dns points to it. */
export async function startDns(inputs: ClusterInputs, started: StartedCluster): Promise<void> {
  const { places, binaries, daemons, cluster } = inputs;
  const folder = clusterPlace(places, cluster.name);
  const kubeconfig = join(folder, 'coredns.kubeconfig');
  await writeKubeconfig(kubeconfig, [started.kubeconfig]);
  const corefile = join(folder, 'Corefile');
  await writeFile(corefile, renderCorefile(cluster, kubeconfig));
  await daemons.start(`${cluster.name}-coredns`, [binaries.path('coredns'), '-conf', corefile]);
  await started.kubectl(['apply', '--server-side', '-f', '-'], toYaml(planDnsObjects(cluster)));
}

export function toYaml(objects: readonly object[]): string {
  return objects.map((object) => stringify(object)).join('---\n');
}

function renderCorefile(cluster: ClusterPlan, kubeconfig: string): string {
  return `.:53 {
    bind ${cluster.hostAddress}
    errors
    cache 5
    kubernetes ${clusterDomain} in-addr.arpa ip6.arpa {
        kubeconfig ${kubeconfig}
        pods insecure
        ttl 5
    }
}
`;
}

function planDnsObjects(cluster: ClusterPlan): readonly object[] {
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53, protocol: 'TCP' },
  ];
  const metadata = { name: 'kube-dns', namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } };
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { clusterIP: cluster.dnsAddress, ports: ports.map((port) => ({ ...port, targetPort: 53 })) },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kube-dns' } },
      addressType: 'IPv4',
      ports,
      endpoints: [{ addresses: [cluster.hostAddress], conditions: { ready: true } }],
    },
  ];
}
