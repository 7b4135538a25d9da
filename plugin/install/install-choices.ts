/** What an installation may choose. */
import { agentNamespace, pairNodePort } from '../../crds/agent-names.ts';

export interface InstallChoices {
  readonly namespace: string;
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly imagePullSecrets: readonly string[];
  /** One leads; each answers admission, without which no operation can be created. */
  readonly replicas: number;
  /** What peers see as this cluster's name. */
  readonly clusterName: string;
  readonly pairService: 'NodePort' | 'LoadBalancer' | 'ClusterIP';
  readonly pairNodePort: number;
  /** host:port that peers reach; empty: found from the Service or the nodes. */
  readonly pairEndpoints: readonly string[];
  /** Hosts, addresses and CIDRs that kubeconfigs in ClusterPairs may name although they look internal. */
  readonly kubeconfigServers: readonly string[];
  /** ClusterRoles that stork-peer gets besides its own, so that it may create Roles that grant as much. */
  readonly peerClusterRoles: readonly string[];
}

export const defaultInstallChoices: InstallChoices = {
  namespace: agentNamespace,
  image: 'stork-agent',
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
  replicas: 2,
  clusterName: 'cluster',
  pairService: 'NodePort',
  pairNodePort,
  pairEndpoints: [],
  kubeconfigServers: [],
  peerClusterRoles: [],
};
