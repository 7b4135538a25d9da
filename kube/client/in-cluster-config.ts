/** The cluster a pod runs in, from what the kubelet gives it. */
import { StorkError } from '../errors.ts';
import type { ClusterConfig, Environment, ReadText } from './cluster-config.ts';

const mounts = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The token and the CA stay files: they are read again as the kubelet rotates them.
 * @throws StorkError NotInCluster outside a pod, or where no token is mounted
 */
export async function inClusterConfig(request: {
  readonly env: Environment;
  readonly readText: ReadText;
}): Promise<ClusterConfig> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = request.env;
  if (!host || !port) throw notInCluster('KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set.');
  const namespace = await readMount(request.readText, 'namespace');
  return {
    name: 'in-cluster',
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: namespace.trim(),
    trust: { ca: { from: 'File', path: `${mounts}/ca.crt` }, verify: 'VerifyServer', serverName: undefined },
    proxyUrl: undefined,
    credentials: { token: { from: 'File', path: `${mounts}/token` } },
    impersonate: undefined,
  };
}

async function readMount(readText: ReadText, name: string): Promise<string> {
  try {
    return await readText(`${mounts}/${name}`);
  } catch (cause) {
    throw notInCluster(`${mounts}/${name} can't be read.`, cause);
  }
}

const notInCluster = (message: string, cause?: unknown) =>
  new StorkError({
    code: 'NotInCluster',
    message,
    hint: 'Run in a pod with a mounted ServiceAccount token, or name a kubeconfig.',
    cause,
  });
