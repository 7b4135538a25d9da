/**
 * TLS for a port that is reached inside the cluster: a long-lived authority of our own and a leaf for the Service's names,
 * both in one Secret that all replicas share. Who calls trusts the authority (its certificate is public); the leaf is
 * renewed well before it ends, so that no caller ever needs a new authority.
 */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import type { KubeClient } from '../../kube/client/client.ts';
import { core, type Secret } from '../../kube/client/core.ts';
import { isAlreadyExists, isConflict, StorkError } from '../../kube/errors.ts';
import type { InformerDefinition } from '../../kube/runtime/informer.ts';
import { newPrivateKey } from './identity.ts';
import { createSecret, findSecret, replaceSecret, type SecretFields } from './secret-store.ts';
import { writeCertificate } from './x509.ts';

export interface ServingTls {
  /** PEM of the authority's certificate: what callers trust. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
  readonly renewAfter: Date;
}

/** What is served: where its certificates lie and which names they are for. */
export interface Served {
  readonly secretName: string;
  readonly authorityName: string;
  readonly dnsNames: readonly string[];
}

/** Tells of each change of the Secret; what is in it is read when needed. */
export const secretOf = (
  { secretName }: Served,
  namespace: string,
): InformerDefinition<Secret, { readonly version: string | undefined }> => ({
  resource: core.secrets,
  namespace,
  fieldSelector: `metadata.name=${secretName}`,
  project: ({ metadata }) => ({ version: metadata.resourceVersion }),
});

const dayMs = 24 * 3_600_000;
const leafDays = 90;
const renewDaysBefore = 30;
const authorityDays = 20 * 365;
/** Replicas may renew at once; one of them wins each round. */
const maxAttempts = 5;

export interface ServingTlsOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
  readonly now: Date;
  readonly signal?: AbortSignal | undefined;
}

/** The DNS names of a Service, as callers in the cluster write them. */
export const serviceDnsNames = (service: string, namespace: string): readonly string[] => [
  `${service}.${namespace}.svc`,
  `${service}.${namespace}.svc.cluster.local`,
  `${service}.${namespace}`,
];

/** Reads the certificates, makes or renews them where needed. Call again after `renewAfter`. */
export async function ensureServingTls(served: Served, options: ServingTlsOptions): Promise<ServingTls> {
  const { secretName } = served;
  const place = { client: options.client, namespace: options.namespace, name: secretName, signal: options.signal };
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const stored = await findSecret(place);
    const held = stored === undefined ? undefined : readServingTls(stored.fields, served.dnsNames);
    if (held !== undefined && held.renewAfter > options.now) return held;
    const { authorityKey, ...tls } = issueServingTls({
      ...options,
      ...served,
      authority: authorityOf(stored?.fields, options.now),
    });
    const fields = { 'ca.crt': tls.authority, 'ca.key': authorityKey, 'tls.crt': tls.certificate, 'tls.key': tls.key };
    try {
      await (stored === undefined ? createSecret(place, fields) : replaceSecret(place, stored, fields));
      return tls;
    } catch (error) {
      if (!isAlreadyExists(error) && !isConflict(error)) throw error;
    }
  }
  throw new StorkError({
    code: 'ServingTlsContended',
    message: `Secret ${options.namespace}/${secretName} kept changing while its certificate was renewed`,
    retryable: true,
  });
}

interface Authority {
  readonly certificate: string;
  readonly key: string;
}

/** A new leaf, under the given authority or a new one. */
export function issueServingTls(options: {
  readonly authorityName: string;
  readonly dnsNames: readonly string[];
  readonly now: Date;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
  readonly authority?: Authority | undefined;
}): ServingTls & { readonly authorityKey: string } {
  const { now, randomBytes, authorityName } = options;
  const authority = options.authority ?? newAuthority(authorityName, now, randomBytes);
  const issuerKey = createPrivateKey(authority.key);
  const key = newPrivateKey();
  const certificate = writeCertificate({
    subject: 'stork-agent',
    serial: randomBytes(16),
    notBefore: new Date(now.getTime() - dayMs),
    notAfter: new Date(now.getTime() + leafDays * dayMs),
    publicKey: createPublicKey(createPrivateKey(key)),
    use: 'Server',
    dnsNames: options.dnsNames,
    issuer: { name: authorityName, privateKey: issuerKey, publicKey: createPublicKey(issuerKey) },
  });
  return {
    authority: authority.certificate,
    authorityKey: authority.key,
    certificate,
    key,
    renewAfter: new Date(now.getTime() + (leafDays - renewDaysBefore) * dayMs),
  };
}

function newAuthority(name: string, now: Date, randomBytes: (sizeBytes: number) => Uint8Array): Authority {
  const key = newPrivateKey();
  const privateKey = createPrivateKey(key);
  const publicKey = createPublicKey(privateKey);
  const certificate = writeCertificate({
    subject: name,
    serial: randomBytes(16),
    notBefore: new Date(now.getTime() - dayMs),
    notAfter: new Date(now.getTime() + authorityDays * dayMs),
    publicKey,
    use: 'Authority',
    issuer: { name, privateKey, publicKey },
  });
  return { certificate, key };
}

/** What the Secret holds, if it is whole and its leaf good for the names; else it is made anew. */
function readServingTls(fields: SecretFields, dnsNames: readonly string[]): ServingTls | undefined {
  const { 'ca.crt': authority, 'tls.crt': certificate, 'tls.key': key } = fields;
  if (authority === undefined || certificate === undefined || key === undefined) return undefined;
  const leaf = readCertificate(certificate);
  const parent = readCertificate(authority);
  if (leaf === undefined || parent === undefined || !leaf.verify(parent.publicKey)) return undefined;
  if (dnsNames.some((name) => leaf.checkHost(name) === undefined)) return undefined;
  return { authority, certificate, key, renewAfter: new Date(leaf.validToDate.getTime() - renewDaysBefore * dayMs) };
}

function authorityOf(fields: SecretFields | undefined, now: Date): Authority | undefined {
  const { 'ca.crt': certificate, 'ca.key': key } = fields ?? {};
  if (certificate === undefined || key === undefined) return undefined;
  const read = readCertificate(certificate);
  // An authority that is about to end is replaced with its leaf; running movers then fail and are started anew.
  return read === undefined || read.validToDate.getTime() < now.getTime() + 365 * dayMs
    ? undefined
    : { certificate, key };
}

function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    // Not a certificate: the caller makes a new one.
    return undefined;
  }
}
