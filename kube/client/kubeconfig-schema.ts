/** A kubeconfig's own format (v1), as far as we read it. */
import { anything, boolean, type Infer, list, map, object, oneOf, required, string } from '../../crds/schema/index.ts';

const cluster = object({
  server: required(string()),
  'certificate-authority-data': string(),
  'certificate-authority': string(),
  'insecure-skip-tls-verify': boolean(),
  'tls-server-name': string(),
  'proxy-url': string(),
  extensions: list(object({ name: required(string()), extension: anything() })),
});

const exec = object({
  apiVersion: required(oneOf(['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'])),
  command: required(string({ minLength: 1 })),
  args: list(string()),
  env: list(object({ name: required(string()), value: required(string()) })),
  interactiveMode: oneOf(['Never', 'IfAvailable', 'Always']),
  installHint: string(),
  provideClusterInfo: boolean(),
});

const user = object({
  'client-certificate-data': string(),
  'client-certificate': string(),
  'client-key-data': string(),
  'client-key': string(),
  token: string(),
  tokenFile: string(),
  username: string(),
  password: string(),
  as: string(),
  'as-uid': string(),
  'as-groups': list(string()),
  'as-user-extra': map(list(string())),
  'auth-provider': object({ name: required(string()) }),
  exec,
});

export const kubeconfig = object({
  'current-context': string(),
  clusters: list(object({ name: required(string()), cluster: required(cluster) })),
  users: list(object({ name: required(string()), user })),
  contexts: list(
    object({
      name: required(string()),
      context: required(object({ cluster: required(string()), user: string(), namespace: string() })),
    }),
  ),
});

export type Kubeconfig = Infer<typeof kubeconfig>;
export type KubeconfigCluster = Infer<typeof cluster>;
export type KubeconfigUser = Infer<typeof user>;
