/**
 * A kubeconfig as kubectl reads it: the files of KUBECONFIG (or ~/.kube/config) merged, the first to name something wins,
 * files inside relative to the file that names them; then one context chosen, with kubectl's overrides.
 */
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { parse } from '../../crds/schema/index.ts';
import { StorkError } from '../errors.ts';
import type { ClusterConfig, Credentials, Environment, ExecPlugin, PemSource, ReadText } from './cluster-config.ts';
import { type Kubeconfig, type KubeconfigCluster, type KubeconfigUser, kubeconfig } from './kubeconfig-schema.ts';
import { proxyFor } from './proxy.ts';

export interface KubeconfigRequest {
  readonly env: Environment;
  readonly homeDirectory: string;
  readonly readText: ReadText;
  /** `--kubeconfig`: this file alone, and it must exist. */
  readonly path?: string | undefined;
  readonly context?: string | undefined;
  readonly cluster?: string | undefined;
  readonly user?: string | undefined;
}

/** One file of a merged kubeconfig may be this long. */
const maxKubeconfigLength = 8 * 1024 * 1024;

/** @throws StorkError KubeconfigMissing, KubeconfigInvalid or ContextNotFound, naming the file or context */
export async function loadKubeconfig(request: KubeconfigRequest): Promise<ClusterConfig> {
  return chooseCluster(await mergedKubeconfig(request), request);
}

/** The names of all contexts, for completion, and the current one. @throws as {@link loadKubeconfig} */
export async function listContexts(
  request: KubeconfigRequest,
): Promise<{ readonly contexts: readonly string[]; readonly current: string | undefined }> {
  const merged = await mergedKubeconfig(request);
  return { contexts: [...merged.contexts.keys()], current: merged.currentContext };
}

/** A thing a file names, with the folder that its own paths are relative to. */
interface Located<T> {
  readonly value: T;
  readonly directory: string;
}

interface MergedKubeconfig {
  readonly files: readonly string[];
  readonly currentContext: string | undefined;
  readonly clusters: ReadonlyMap<string, Located<KubeconfigCluster>>;
  readonly users: ReadonlyMap<string, Located<KubeconfigUser>>;
  readonly contexts: ReadonlyMap<
    string,
    { readonly cluster: string; readonly user?: string | undefined; readonly namespace?: string | undefined }
  >;
}

async function mergedKubeconfig(request: KubeconfigRequest): Promise<MergedKubeconfig> {
  const paths = kubeconfigPaths(request);
  const files: { readonly path: string; readonly config: Kubeconfig }[] = [];
  for (const path of paths) {
    const config = await readKubeconfig(path, request);
    if (config !== undefined) files.push({ path, config });
  }
  if (files.length === 0) {
    const hint = 'Name one with --kubeconfig or the variable KUBECONFIG.';
    throw new StorkError({
      code: 'KubeconfigMissing',
      message: 'There is no kubeconfig.',
      about: paths.join(', '),
      hint,
    });
  }
  const merge = <T>(entriesOf: (config: Kubeconfig) => readonly (readonly [string, T])[]) => {
    const merged = new Map<string, Located<T>>();
    for (const { path, config } of files) {
      for (const [name, value] of entriesOf(config)) {
        if (!merged.has(name)) merged.set(name, { value, directory: dirname(path) });
      }
    }
    return merged;
  };
  const contexts = merge((config) => (config.contexts ?? []).map((one) => [one.name, one.context] as const));
  return {
    files: files.map(({ path }) => path),
    currentContext: files
      .map(({ config }) => config['current-context'])
      .find((name) => name !== undefined && name !== ''),
    clusters: merge((config) => (config.clusters ?? []).map((one) => [one.name, one.cluster] as const)),
    users: merge((config) => (config.users ?? []).map((one) => [one.name, one.user ?? {}] as const)),
    contexts: new Map([...contexts].map(([name, { value }]) => [name, value])),
  };
}

function kubeconfigPaths({ path, env, homeDirectory }: KubeconfigRequest): readonly string[] {
  if (path !== undefined) return [path];
  const listed = (env.KUBECONFIG ?? '').split(delimiter).filter((one) => one !== '');
  return listed.length > 0 ? [...new Set(listed)] : [join(homeDirectory, '.kube', 'config')];
}

async function readKubeconfig(path: string, request: KubeconfigRequest): Promise<Kubeconfig | undefined> {
  let text: string;
  try {
    text = await request.readText(path);
  } catch (error) {
    if (isMissingFile(error) && request.path === undefined) return undefined;
    throw new StorkError({
      code: 'KubeconfigMissing',
      message: `The kubeconfig ${path} can't be read.`,
      about: path,
      cause: error,
    });
  }
  if (text.trim() === '') return undefined;
  try {
    if (text.length > maxKubeconfigLength) throw new RangeError(`it is longer than ${maxKubeconfigLength} characters`);
    return parse(kubeconfig, await parseYaml(text));
  } catch (error) {
    throw new StorkError({
      code: 'KubeconfigInvalid',
      message: `The kubeconfig ${path} is not valid.`,
      about: path,
      cause: error,
    });
  }
}

/** JSON is YAML too, and is parsed without loading the YAML library. */
async function parseYaml(text: string): Promise<unknown> {
  if (text.trimStart().startsWith('{')) return JSON.parse(text);
  const yaml = await import('./yaml.ts');
  return yaml.parse(text);
}

const isMissingFile = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT';

function chooseCluster(merged: MergedKubeconfig, request: KubeconfigRequest): ClusterConfig {
  const contextName = request.context ?? merged.currentContext;
  const context = contextName === undefined ? undefined : merged.contexts.get(contextName);
  const known = [...merged.contexts.keys()].join(', ');
  if (request.context !== undefined && context === undefined) throw missing('context', request.context, known, merged);
  const clusterName = request.cluster ?? context?.cluster;
  if (clusterName === undefined) throw missing('context', contextName ?? '(current-context)', known, merged);
  const cluster = merged.clusters.get(clusterName);
  if (cluster === undefined) throw missing('cluster', clusterName, [...merged.clusters.keys()].join(', '), merged);
  const userName = request.user ?? context?.user;
  const user = userName === undefined || userName === '' ? undefined : merged.users.get(userName);
  if (userName !== undefined && userName !== '' && user === undefined) {
    throw missing('user', userName, [...merged.users.keys()].join(', '), merged);
  }
  const named = cluster.value;
  const server = named.server.replace(/\/+$/, '');
  return {
    name: contextName ?? clusterName,
    server,
    namespace: context?.namespace === '' ? undefined : context?.namespace,
    trust: {
      ca: pemSource(named['certificate-authority-data'], named['certificate-authority'], cluster.directory),
      verify: named['insecure-skip-tls-verify'] === true ? 'AcceptAnyServer' : 'VerifyServer',
      serverName: named['tls-server-name'],
    },
    proxyUrl: named['proxy-url'] ?? proxyFor(server, request.env),
    credentials: user === undefined ? {} : credentialsOf(user, named),
    impersonate: impersonationOf(user?.value),
  };
}

function missing(
  what: 'context' | 'cluster' | 'user',
  name: string,
  known: string,
  merged: MergedKubeconfig,
): StorkError {
  return new StorkError({
    code: 'ContextNotFound',
    message: `The kubeconfig has no ${what} ${JSON.stringify(name)}.`,
    about: merged.files.join(', '),
    hint: known === '' ? `It names no ${what} at all.` : `It has: ${known}.`,
  });
}

const within = (directory: string, path: string) => (isAbsolute(path) ? path : join(directory, path));

function pemSource(inline: string | undefined, path: string | undefined, directory: string): PemSource | undefined {
  if (inline !== undefined && inline !== '') return { from: 'Inline', pem: Buffer.from(inline, 'base64').toString() };
  return path === undefined || path === '' ? undefined : { from: 'File', path: within(directory, path) };
}

function credentialsOf({ value: user, directory }: Located<KubeconfigUser>, cluster: KubeconfigCluster): Credentials {
  if (user['auth-provider'] !== undefined) {
    const message = `The kubeconfig's user needs the auth-provider ${user['auth-provider'].name}, which Kubernetes has removed.`;
    const hint = 'Use an exec credential plugin instead, as the provider documents.';
    throw new StorkError({ code: 'KubeconfigInvalid', message, hint });
  }
  const cert = pemSource(user['client-certificate-data'], user['client-certificate'], directory);
  const key = pemSource(user['client-key-data'], user['client-key'], directory);
  const tokenFile = user.tokenFile ?? '';
  return {
    certificate: cert === undefined || key === undefined ? undefined : { cert, key },
    token: tokenFile !== '' ? { from: 'File', path: within(directory, tokenFile) } : inlineToken(user.token),
    basic: user.username === undefined ? undefined : { username: user.username, password: user.password ?? '' },
    exec: user.exec === undefined ? undefined : execPlugin(user.exec, cluster, directory),
  };
}

const inlineToken = (token: string | undefined) =>
  token === undefined || token === '' ? undefined : ({ from: 'Inline', token } as const);

function execPlugin(
  exec: NonNullable<KubeconfigUser['exec']>,
  cluster: KubeconfigCluster,
  directory: string,
): ExecPlugin {
  const isPath = /[/\\]/.test(exec.command);
  const { apiVersion, args = [], env = [], interactiveMode = 'IfAvailable', installHint } = exec;
  const variables = Object.fromEntries(env.map(({ name, value }) => [name, value]));
  return {
    apiVersion,
    command: isPath ? within(directory, exec.command) : exec.command,
    args,
    env: variables,
    interactiveMode,
    installHint,
    cluster: exec.provideClusterInfo === true ? clusterInfo(cluster) : undefined,
  };
}

const execExtension = 'client.authentication.k8s.io/exec';

function clusterInfo(cluster: KubeconfigCluster): Readonly<Record<string, unknown>> {
  const { extensions = [], ...named } = cluster;
  const config = extensions.find(({ name }) => name === execExtension)?.extension;
  return { ...named, ...(config === undefined ? {} : { config }) };
}

function impersonationOf(user: KubeconfigUser | undefined) {
  if (user?.as === undefined || user.as === '') return undefined;
  return { user: user.as, groups: user['as-groups'], uid: user['as-uid'] };
}
