/** Where a cluster is, how it is trusted and who we are there: what a kubeconfig's context or a pod's mounts come to. */
import type { Impersonation } from './client.ts';

export interface ClusterConfig {
  /** For messages: the context's name, or `in-cluster`. */
  readonly name: string;
  /** `https://host:port`, perhaps with a path; `http:` only for loopback. */
  readonly server: string;
  /** The only addresses to connect to, where somebody has resolved the server's host already. */
  readonly addresses?: readonly string[] | undefined;
  /** The context's namespace, `undefined` when it names none. */
  readonly namespace: string | undefined;
  readonly trust: Trust;
  /** An http(s) proxy reached by CONNECT. */
  readonly proxyUrl: string | undefined;
  readonly credentials: Credentials;
  /** `as`, `as-groups` and `as-uid` of the kubeconfig's user. */
  readonly impersonate: Impersonation | undefined;
}

export interface Trust {
  /** The server's certificate authorities; the machine's own when `undefined`. */
  readonly ca: PemSource | undefined;
  /** `AcceptAnyServer` only when the kubeconfig says insecure-skip-tls-verify. */
  readonly verify: 'VerifyServer' | 'AcceptAnyServer';
  /** The name to expect in the server's certificate instead of the URL's host. */
  readonly serverName: string | undefined;
}

/** Inline, or a file that is read again as it is rotated. */
export type PemSource =
  | { readonly from: 'Inline'; readonly pem: string }
  | { readonly from: 'File'; readonly path: string };

export interface Credentials {
  readonly certificate?: { readonly cert: PemSource; readonly key: PemSource } | undefined;
  readonly token?:
    | { readonly from: 'Inline'; readonly token: string }
    | { readonly from: 'File'; readonly path: string }
    | undefined;
  readonly basic?: { readonly username: string; readonly password: string } | undefined;
  readonly exec?: ExecPlugin | undefined;
}

/** A `user.exec` of a kubeconfig. */
export interface ExecPlugin {
  readonly apiVersion: 'client.authentication.k8s.io/v1' | 'client.authentication.k8s.io/v1beta1';
  /** Absolute when the kubeconfig gave a relative path; else looked up in PATH. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly interactiveMode: 'Never' | 'IfAvailable' | 'Always';
  readonly installHint: string | undefined;
  /** What KUBERNETES_EXEC_INFO tells the plugin of the cluster, when `provideClusterInfo` asks for it. */
  readonly cluster: Readonly<Record<string, unknown>> | undefined;
}

/** Reads a file as text. @throws what node:fs throws, `code` ENOENT for a missing one */
export type ReadText = (path: string) => Promise<string>;

export type Environment = Readonly<Record<string, string | undefined>>;
