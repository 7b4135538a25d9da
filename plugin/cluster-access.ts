/** Which cluster a command line means: kubectl's flags as a value, and what reaches it. */
import type { ClusterConfig } from '../kube/client/cluster-config.ts';
import type { Cluster, GivenArguments } from './command.ts';
import { readFlags } from './command.ts';
import { duration } from './flag.ts';
import { globalFlags } from './global-flags.ts';

/** As kubectl's ConfigFlags; absent means: as the kubeconfig says. */
export interface ClusterSelection {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly cluster: string | undefined;
  readonly user: string | undefined;
  readonly namespace: string | undefined;
  readonly server: string | undefined;
  readonly token: string | undefined;
  readonly as: string | undefined;
  readonly asGroups: readonly string[];
  readonly asUid: string | undefined;
  readonly certificateAuthority: string | undefined;
  readonly clientCertificate: string | undefined;
  readonly clientKey: string | undefined;
  readonly tlsServerName: string | undefined;
  readonly serverCertificate: 'Check' | 'DoNotCheck';
  /** 0: no limit. */
  readonly requestTimeoutMs: number;
}

export interface ClusterAccess {
  /** @throws StorkError when the kubeconfig or the context can't be had */
  connect(selection: ClusterSelection): Promise<Cluster>;
  /** Where and as whom `connect` would, as the kubeconfig and the flags say; no server is asked. @throws as `connect` */
  configOf(selection: ClusterSelection): Promise<ClusterConfig>;
  /** Names of contexts; empty without a kubeconfig. */
  contexts(selection: ClusterSelection): Promise<readonly string[]>;
}

export function selectionOf(given: GivenArguments['flags']): ClusterSelection {
  const flags = readFlags(globalFlags, given);
  return {
    kubeconfig: flags.kubeconfig,
    context: flags.context,
    cluster: flags.cluster,
    user: flags.user,
    namespace: flags.namespace,
    server: flags.server,
    token: flags.token,
    as: flags.as,
    asGroups: flags['as-group'],
    asUid: flags['as-uid'],
    certificateAuthority: flags['certificate-authority'],
    clientCertificate: flags['client-certificate'],
    clientKey: flags['client-key'],
    tlsServerName: flags['tls-server-name'],
    serverCertificate: flags['insecure-skip-tls-verify'] ? 'DoNotCheck' : 'Check',
    requestTimeoutMs: readTimeout(flags['request-timeout']),
  };
}

/** Another kubeconfig file and its current context: what the flags say of the cluster is not about that one. */
export function selectionOfFile(
  kubeconfig: string,
  { namespace, requestTimeoutMs }: ClusterSelection,
): ClusterSelection {
  return { ...selectionOf(new Map()), kubeconfig, namespace, requestTimeoutMs };
}

/** kubectl reads a bare number as seconds. */
function readTimeout(given: string): number {
  const written = /^\d+$/.test(given) && given !== '0' ? `${given}s` : given;
  return duration({ describes: '', default: '0' }).read([written], 'request-timeout');
}
