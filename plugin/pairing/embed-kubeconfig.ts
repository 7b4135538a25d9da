/** A kubeconfig as Stork's ClusterPairs carry it: one context, files inlined, nothing the agent would refuse. */
import type { ClusterPairSpecInput } from '../../crds/v1alpha1/index.ts';
import type { ClusterConfig, PemSource } from '../../kube/client/cluster-config.ts';
import { readEmbeddedKubeconfig } from '../../kube/client/embedded-kubeconfig.ts';
import { isLoopback } from '../../kube/client/proxy.ts';
import { StorkError } from '../../kube/errors.ts';

type Embedded = NonNullable<ClusterPairSpecInput['config']>;
type ReadFile = (path: string) => Promise<string>;

/** @throws StorkError `KubeconfigRefused` naming what can't travel in an object, and what to do */
export async function embedKubeconfig(config: ClusterConfig, readFile: ReadFile): Promise<Embedded> {
  refuseWhatStaysHere(config);
  const { name, server, trust, credentials } = config;
  const user = `${name}-user`;
  const { certificate, token } = credentials;
  const embedded = {
    'current-context': name,
    clusters: { [name]: { server, ...field('certificate-authority-data', await encoded(trust.ca, readFile)) } },
    users: {
      [user]: {
        ...field('client-certificate-data', await encoded(certificate?.cert, readFile)),
        ...field('client-key-data', await encoded(certificate?.key, readFile)),
        ...field('token', token?.from === 'File' ? (await readFile(token.path)).trim() : token?.token),
      },
    },
    contexts: { [name]: { cluster: name, user } },
  };
  readEmbeddedKubeconfig(embedded, `kubeconfig`);
  return embedded;
}

const field = (name: string, value: string | undefined) => (value === undefined ? {} : { [name]: value });

async function encoded(source: PemSource | undefined, readFile: ReadFile): Promise<string | undefined> {
  if (source === undefined) return undefined;
  const pem = source.from === 'Inline' ? source.pem : await readFile(source.path);
  return Buffer.from(pem).toString('base64');
}

const useAccount =
  'Make a kubeconfig with the token of a ServiceAccount of that cluster: kubectl create token NAME --duration=1h';

function refuseWhatStaysHere({ name, server, trust, proxyUrl, credentials, impersonate }: ClusterConfig): void {
  const refuse = (what: string, hint: string) => {
    throw new StorkError({ code: 'KubeconfigRefused', message: `the context ${name} ${what}`, hint });
  };
  if (credentials.exec !== undefined)
    refuse(`logs in with the program ${credentials.exec.command}, which no agent starts`, useAccount);
  if (credentials.basic !== undefined) refuse('logs in with a password, which no agent takes', useAccount);
  if (impersonate !== undefined) refuse(`acts as ${impersonate.user}, which no agent does`, useAccount);
  if (trust.verify === 'AcceptAnyServer')
    refuse("does not check the server's certificate", 'Put certificate-authority-data into the kubeconfig.');
  if (trust.serverName !== undefined)
    refuse(`expects a certificate for ${trust.serverName}`, 'Name the server with --server https://HOST:PORT.');
  if (proxyUrl !== undefined && isLoopback(new URL(proxyUrl).hostname))
    refuse(
      `goes through the proxy ${proxyUrl} of this machine`,
      'Name a server that the other cluster reaches: --server.',
    );
  if (isLoopback(new URL(server).hostname))
    refuse(
      `reaches its cluster at ${server}, which is this machine only`,
      'Name the address that the other cluster reaches: --server https://HOST:PORT',
    );
}
