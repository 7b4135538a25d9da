/**
 * The command lines of etcd and of the control plane's programs. Pure: paths,
 * ports and addresses come in, arguments go out. Shared by the standalone API
 * server and by the test bed's clusters.
 */
import type { Credential, Identity, Pki } from './pki.ts';
import { clusterDomain } from './plan.ts';

export interface EtcdSettings {
  readonly dataFolder: string;
  readonly port: number;
  readonly peerPort: number;
}

export interface ApiServerSettings {
  /** The address it listens on and tells its clients. */
  readonly address: string;
  readonly port: number;
  readonly etcdPort: number;
  readonly serviceCidr: string;
  readonly pki: Pki;
  readonly serving: Credential;
  readonly kubeletClient: Credential;
  readonly frontProxy: Credential;
  /** Where to write the audit log, with the policy file; absent: no audit. */
  readonly audit?: { readonly policyFile: string; readonly logFile: string };
}

/** fsync is skipped: the bed's data need not survive a power cut, and fsync is what makes starts slow. */
export function etcdArguments(settings: EtcdSettings): readonly string[] {
  const client = `http://127.0.0.1:${settings.port}`;
  const peer = `http://127.0.0.1:${settings.peerPort}`;
  return [
    '--name=default',
    `--data-dir=${settings.dataFolder}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--unsafe-no-fsync',
    '--auto-compaction-retention=5m',
    '--quota-backend-bytes=4294967296',
    '--log-level=warn',
  ];
}

export function apiServerArguments(settings: ApiServerSettings): readonly string[] {
  const { pki, audit } = settings;
  return [
    `--bind-address=${settings.address}`,
    `--advertise-address=${settings.address}`,
    `--secure-port=${settings.port}`,
    `--etcd-servers=http://127.0.0.1:${settings.etcdPort}`,
    `--service-cluster-ip-range=${settings.serviceCidr}`,
    `--cert-dir=${pki.folder}`,
    `--tls-cert-file=${settings.serving.certificate}`,
    `--tls-private-key-file=${settings.serving.key}`,
    `--client-ca-file=${pki.ca.certificate}`,
    `--kubelet-certificate-authority=${pki.ca.certificate}`,
    `--kubelet-client-certificate=${settings.kubeletClient.certificate}`,
    `--kubelet-client-key=${settings.kubeletClient.key}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--service-account-issuer=https://kubernetes.default.svc.${clusterDomain}`,
    `--service-account-signing-key-file=${pki.serviceAccountKey}`,
    `--service-account-key-file=${pki.serviceAccountKey}`,
    `--requestheader-client-ca-file=${pki.frontProxyCa.certificate}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${settings.frontProxy.certificate}`,
    `--proxy-client-key-file=${settings.frontProxy.key}`,
    // The host has no kube-proxy: webhooks and aggregated APIs are dialled at their endpoints.
    '--enable-aggregator-routing=true',
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    '--profiling=false',
    ...(audit === undefined
      ? []
      : [`--audit-policy-file=${audit.policyFile}`, `--audit-log-path=${audit.logFile}`, '--audit-log-maxsize=100']),
  ];
}

export interface ClientSettings {
  readonly kubeconfig: string;
  readonly port: number;
}

export function controllerManagerArguments(settings: ClientSettings & { readonly pki: Pki }): readonly string[] {
  const { kubeconfig, pki } = settings;
  return [
    ...componentArguments(settings),
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${pki.serviceAccountKey}`,
    `--root-ca-file=${pki.ca.certificate}`,
    `--cluster-signing-cert-file=${pki.ca.certificate}`,
    `--cluster-signing-key-file=${pki.ca.key}`,
    `--requestheader-client-ca-file=${pki.frontProxyCa.certificate}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    '--controllers=*,-node-ipam-controller,-node-route-controller,-service-lb-controller',
    '--allocate-node-cidrs=false',
  ];
}

export function schedulerArguments(settings: ClientSettings): readonly string[] {
  return [
    ...componentArguments(settings),
    `--authentication-kubeconfig=${settings.kubeconfig}`,
    `--authorization-kubeconfig=${settings.kubeconfig}`,
  ];
}

/** The identities a control plane needs besides its kubelets. */
export function controlPlaneIdentities(addresses: readonly string[]) {
  const client = (file: string, user: string, ...groups: readonly string[]): Identity => ({
    file,
    user,
    groups,
    addresses: [],
    names: [],
  });
  const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'localhost'];
  return {
    serving: {
      ...client('kube-apiserver', 'kube-apiserver'),
      addresses,
      names: [...names, `kubernetes.default.svc.${clusterDomain}`],
    },
    kubeletClient: client('kubelet-client', 'kube-apiserver-kubelet-client', 'system:masters'),
    frontProxy: client('front-proxy', 'front-proxy-client'),
    admin: client('admin', 'kubernetes-admin', 'system:masters'),
    controllerManager: client('controller-manager', 'system:kube-controller-manager'),
    scheduler: client('scheduler', 'system:kube-scheduler'),
    kubeProxy: client('kube-proxy', 'system:kube-proxy'),
  } satisfies Record<string, Identity>;
}

function componentArguments(settings: ClientSettings): readonly string[] {
  return [
    `--kubeconfig=${settings.kubeconfig}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${settings.port}`,
    '--leader-elect=false',
    '--profiling=false',
  ];
}
