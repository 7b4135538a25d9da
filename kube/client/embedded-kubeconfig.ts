/**
 * A kubeconfig inside an object (client-go's internal form: maps by name, as Stork's ClusterPairs carry it). Whoever may
 * write the object chose it, and an agent uses it: so only an https server and inline credentials are taken, and what would
 * read a file, start a program, go through somebody or leave out a check is refused by name. Pure.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { anything, map, object, parse, SchemaError, string } from '../../crds/schema/index.ts';
import type { ClusterConfig, Credentials, PemSource } from './cluster-config.ts';
import { checkFields, type KubeconfigFields, refusedKubeconfig as refused } from './embedded-kubeconfig-fields.ts';

/** The whole of it, as JSON; bundles of authorities fit. */
const maxCharacters = 256 * 1024;
const maxTokenCharacters = 16 * 1024;

const name = () => string({ maxLength: 1024 });
const shape = object({
  'current-context': name(),
  clusters: map(map(anything())),
  users: map(map(anything())),
  contexts: map(object({ cluster: name(), user: name() })),
});

const generateAnew = 'Make it anew: `kubectl stork generate clusterpair`, with the context of the cluster to reach.';

/** @throws StorkError `KubeconfigRefused` naming the field below `about` (`spec.config`), never quoting what it holds */
export function readEmbeddedKubeconfig(value: unknown, about: string): ClusterConfig {
  const chosen = chooseParts(value, about);
  const [cluster, user] = [`${about}.clusters.${chosen.clusterName}`, `${about}.users.${chosen.userName}`];
  checkFields('cluster', chosen.cluster, cluster);
  checkFields('user', chosen.user, user);
  return {
    name: chosen.contextName,
    server: serverOf(chosen.cluster.server, `${cluster}.server`),
    namespace: undefined,
    trust: {
      ca: authorityOf(chosen.cluster['certificate-authority-data'], `${cluster}.certificate-authority-data`),
      verify: 'VerifyServer',
      serverName: undefined,
    },
    proxyUrl: undefined,
    credentials: credentialsOf(chosen.user, user),
    impersonate: undefined,
  };
}

/** The parts that the current context names, or the only context. */
function chooseParts(value: unknown, about: string) {
  const { contexts = {}, clusters = {}, users = {}, ...rest } = parseShape(value, about);
  const names = Object.keys(contexts);
  const current = rest['current-context'] ?? '';
  const contextName = current === '' && names.length === 1 ? (names[0] ?? '') : current;
  if (contextName === '') {
    const why = names.length === 0 ? 'names no context' : `names ${names.length} contexts and no current-context`;
    throw refused(about, why, names.length === 0 ? generateAnew : 'Set current-context to the one that is meant.');
  }
  const { cluster: clusterName = '', user: userName = '' } = lookUp(contexts, contextName, `${about}.contexts`);
  const cluster = lookUp(clusters, clusterName, `${about}.clusters`);
  return { contextName, clusterName, userName, cluster, user: lookUp(users, userName, `${about}.users`) };
}

function parseShape(value: unknown, about: string) {
  const written = JSON.stringify(value) ?? '';
  if (written.length > maxCharacters) {
    throw refused(about, `is longer than ${maxCharacters} characters`, 'Keep one cluster, one user and one context.');
  }
  try {
    return parse(shape, value);
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    throw refused(`${about}.${error.path}`, 'has not the form of a kubeconfig in an object', generateAnew);
  }
}

function lookUp<T>(entries: Readonly<Record<string, T>>, key: string, place: string): T {
  const found = Object.hasOwn(entries, key) ? entries[key] : undefined;
  if (found !== undefined) return found;
  throw refused(place, `has no ${key === '' ? 'entry for the context' : JSON.stringify(key)}`, generateAnew);
}

function serverOf(value: unknown, place: string): string {
  const hint = 'It must be https://HOST[:PORT], as the API server is reached from the pods of this cluster.';
  const text = typeof value === 'string' && value.length <= 2048 ? value : '';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw refused(place, 'is not a URL', hint);
  if (url.protocol !== 'https:') throw refused(place, `is not https (it is ${url.protocol.slice(0, 16)})`, hint);
  if (url.username !== '' || url.password !== '') throw refused(place, 'has credentials in its URL', hint);
  if (url.search !== '' || url.hash !== '') throw refused(place, 'has a query or fragment', hint);
  return url.href.replace(/\/+$/, '');
}

function authorityOf(value: unknown, place: string): PemSource | undefined {
  const pem = pemOf(value, place);
  if (pem !== undefined) inspect(place, 'holds no certificate', () => new X509Certificate(pem));
  return pem === undefined ? undefined : { from: 'Inline', pem };
}

function credentialsOf(user: KubeconfigFields, place: string): Credentials {
  const token = tokenOf(user.token, `${place}.token`);
  const [certificatePlace, keyPlace] = [`${place}.client-certificate-data`, `${place}.client-key-data`];
  const cert = pemOf(user['client-certificate-data'], certificatePlace);
  const key = pemOf(user['client-key-data'], keyPlace);
  if (cert === undefined && key === undefined) {
    const hint = 'Put a token, or a client certificate and its key, into it.';
    if (token === undefined) throw refused(place, 'holds no credential', hint);
    return { token: { from: 'Inline', token } };
  }
  if (cert === undefined) throw refused(certificatePlace, 'is missing beside client-key-data', generateAnew);
  if (key === undefined) throw refused(keyPlace, 'is missing beside client-certificate-data', generateAnew);
  const certificate = inspect(certificatePlace, 'holds no certificate', () => new X509Certificate(cert));
  const privateKey = inspect(keyPlace, 'holds no unencrypted key', () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey))
    throw refused(keyPlace, 'is not the key of the certificate', generateAnew);
  return {
    certificate: { cert: { from: 'Inline', pem: cert }, key: { from: 'Inline', pem: key } },
    ...(token === undefined ? {} : { token: { from: 'Inline', token } }),
  };
}

function tokenOf(value: unknown, place: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const token = typeof value === 'string' ? value.trim() : '';
  if (/^[\x21-\x7e]+$/.test(token) && token.length <= maxTokenCharacters) return token;
  throw refused(place, 'is not a token', 'Put the whole token into it, as one word.');
}

function pemOf(value: unknown, place: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw refused(place, 'is not base64', generateAnew);
  return Buffer.from(value, 'base64').toString('latin1');
}

/** What OpenSSL says is left out: it may tell of what it read. */
function inspect<T>(place: string, otherwise: string, read: () => T): T {
  try {
    return read();
  } catch {
    throw refused(place, otherwise, generateAnew);
  }
}
