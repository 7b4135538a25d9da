/** Reaches real clusters as kubectl would: its kubeconfig rules, then its flags on top. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import type { Ambient } from '../kube/ambient.ts';
import type { ClusterConfig, Credentials } from '../kube/client/cluster-config.ts';
import { createKubeClient } from '../kube/client/create-kube-client.ts';
import { inClusterConfig } from '../kube/client/in-cluster-config.ts';
import { listContexts, loadKubeconfig } from '../kube/client/load-kubeconfig.ts';
import { StorkError } from '../kube/errors.ts';
import type { ClusterAccess, ClusterSelection } from './cluster-access.ts';

export function connectClusters(ambient: Ambient): ClusterAccess {
  const readText = (path: string) => readFile(path, 'utf8');
  const requestOf = ({ kubeconfig, context, cluster, user }: ClusterSelection) => ({
    env: ambient.env,
    homeDirectory: homedir(),
    readText,
    path: kubeconfig,
    context,
    cluster,
    user,
  });
  const configOf = async (selection: ClusterSelection): Promise<ClusterConfig> =>
    overrideConfig(await readConfig(selection), selection);
  const readConfig = async (selection: ClusterSelection): Promise<ClusterConfig> => {
    try {
      return await loadKubeconfig(requestOf(selection));
    } catch (error) {
      const isMissing = error instanceof StorkError && error.code === 'KubeconfigMissing';
      if (!isMissing || selection.kubeconfig !== undefined) throw error;
      if (selection.server !== undefined) return bareConfig(selection.server);
      if (ambient.env.KUBERNETES_SERVICE_HOST === undefined) throw error;
      return inClusterConfig({ env: ambient.env, readText });
    }
  };
  return {
    async connect(selection) {
      const config = await configOf(selection);
      const { env, clock, random, version } = ambient;
      const { requestTimeoutMs } = selection;
      const client = createKubeClient({
        config,
        env,
        clock,
        random,
        readText,
        userAgent: `kubectl-stork/${version}`,
        terminal: ambient.stdin.isTTY === true ? 'Present' : 'Absent',
        limits: requestTimeoutMs === 0 ? {} : { answerWithinMs: requestTimeoutMs },
      });
      return { client, context: config.name, namespace: selection.namespace ?? config.namespace ?? 'default' };
    },
    configOf,
    contexts: async (selection) => (await listContexts(requestOf(selection))).contexts,
  };
}

/** The flags that name a server or a credential win over the kubeconfig's. Pure. */
export function overrideConfig(config: ClusterConfig, selection: ClusterSelection): ClusterConfig {
  const { server, certificateAuthority, tlsServerName, serverCertificate, as, asGroups, asUid } = selection;
  const { trust, impersonate } = config;
  return {
    ...config,
    server: server === undefined ? config.server : withScheme(server),
    trust: {
      ca: certificateAuthority === undefined ? trust.ca : { from: 'File', path: certificateAuthority },
      verify: serverCertificate === 'DoNotCheck' ? 'AcceptAnyServer' : trust.verify,
      serverName: tlsServerName ?? trust.serverName,
    },
    credentials: overrideCredentials(config.credentials, selection),
    impersonate: as === undefined ? impersonate : { user: as, groups: asGroups, uid: asUid },
  };
}

function overrideCredentials(own: Credentials, selection: ClusterSelection): Credentials {
  const { token, clientCertificate, clientKey } = selection;
  if (token !== undefined) return { token: { from: 'Inline', token } };
  if (clientCertificate === undefined || clientKey === undefined) return own;
  return { certificate: { cert: { from: 'File', path: clientCertificate }, key: { from: 'File', path: clientKey } } };
}

function bareConfig(server: string): ClusterConfig {
  return {
    name: server,
    server: withScheme(server),
    namespace: undefined,
    trust: { ca: undefined, verify: 'VerifyServer', serverName: undefined },
    proxyUrl: undefined,
    credentials: {},
    impersonate: undefined,
  };
}

function withScheme(server: string): string {
  return /^https?:\/\//.test(server) ? server.replace(/\/+$/, '') : `https://${server}`;
}
