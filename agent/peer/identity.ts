/**
 * Who this agent is to its peers: a P-256 key in the Secret `stork-identity`, made once; replicas that start together agree
 * on the one whose create won. Certificates never expire by date, because peers trust the pinned key and look at nothing
 * else. A key is replaced by one that it has signed: the signed certificates are kept and shown, the old key is not.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { StorkError } from '../../kube/errors.ts';
import { fingerprintOf } from './invitation.ts';
import { maxLineage } from './link/lineage.ts';
import { ensureSecret, findSecret, replaceSecret, type SecretFields } from './secret-store.ts';
import { pinOf, writeCertificate } from './x509.ts';

export interface Identity {
  /** PKCS #8 PEM. */
  readonly key: string;
  /** PEM. */
  readonly certificate: string;
  /** SHA-256 of the public key, base64url. */
  readonly pin: string;
  /** The same for people: `SHA256:…`. */
  readonly fingerprint: string;
}

export interface IdentityOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
  readonly now: Date;
  readonly signal?: AbortSignal | undefined;
}

const secretName = 'stork-identity';
/** The fields of the Secret. `rotatedFor` is the request that the last replacement answered. */
const fields = { key: 'key.pem', certificates: 'certificates.pem', rotatedFor: 'rotated-for', since: 'since' } as const;

/** @throws StorkError `InvalidIdentity` when the Secret holds something else */
export async function ensureIdentity(options: IdentityOptions): Promise<Identity> {
  const { client, namespace, signal } = options;
  const held = await ensureSecret({
    client,
    namespace,
    name: secretName,
    signal,
    make: () => ({ [fields.key]: newPrivateKey(), [fields.since]: options.now.toISOString() }),
  });
  return identityOf(held, options);
}

/**
 * Replaces the key by one that the present key signs. Repeating it for the same `request` changes nothing.
 * @throws ApiError Conflict when another replica was at it
 */
export async function rotateIdentity(options: IdentityOptions & { readonly request: string }): Promise<Identity> {
  const { client, namespace, signal, request, now } = options;
  const place = { client, namespace, name: secretName, signal };
  const stored = await findSecret(place);
  if (stored === undefined) throw notAnIdentity(namespace);
  const present = identityOf(stored.fields, options);
  if (stored.fields[fields.rotatedFor] === request) return present;
  const next = succeed(present, options);
  await replaceSecret(place, stored, {
    [fields.key]: next.key,
    [fields.certificates]: next.certificate,
    [fields.rotatedFor]: request,
    [fields.since]: now.toISOString(),
  });
  return next;
}

/** Since when the key is in use; `undefined` when nobody wrote it down. */
export async function identitySince(
  options: Pick<IdentityOptions, 'client' | 'namespace' | 'signal'>,
): Promise<Date | undefined> {
  const stored = await findSecret({ ...options, name: secretName });
  const since = stored?.fields[fields.since] ?? stored?.created;
  return since === undefined ? undefined : new Date(since);
}

/** An identity whose key may be replaced while it is in use. */
export interface LiveIdentity extends Identity {
  replace(next: Identity): void;
}

export function liveIdentity(first: Identity): LiveIdentity {
  let current = first;
  return {
    get key() {
      return current.key;
    },
    get certificate() {
      return current.certificate;
    },
    get pin() {
      return current.pin;
    },
    get fingerprint() {
      return current.fingerprint;
    },
    replace(next) {
      current = next;
    },
  };
}

/** An identity that lives in memory only. */
export function createIdentity(options: Pick<IdentityOptions, 'randomBytes' | 'now'>): Identity {
  return identityFrom(newPrivateKey(), undefined, options);
}

/** Another identity, whose key the present one signed. */
export function succeed(present: Identity, options: Pick<IdentityOptions, 'randomBytes' | 'now'>): Identity {
  const key = newPrivateKey();
  const former = present.certificate.split(/(?<=-----END CERTIFICATE-----\n)/);
  const certificates = [certify(key, present.key, options), ...former].slice(0, maxLineage + 1);
  return identityFrom(key, certificates.join(''), options);
}

export function newPrivateKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function identityOf(held: SecretFields, options: IdentityOptions): Identity {
  const pem = held[fields.key];
  if (pem === undefined) throw notAnIdentity(options.namespace);
  return identityFrom(pem, held[fields.certificates], options);
}

function identityFrom(
  pem: string,
  certificates: string | undefined,
  options: Pick<IdentityOptions, 'randomBytes' | 'now'> & { readonly namespace?: string },
): Identity {
  const { namespace = '' } = options;
  const pin = pinOf(createPublicKey(readKey(pem, namespace)));
  const certificate = certificates ?? certify(pem, pem, options);
  if (!isOf(certificate, pin)) throw notAnIdentity(namespace);
  return { key: pem, certificate, pin, fingerprint: fingerprintOf(pin) };
}

/** A certificate of the key, signed by another or by itself. */
function certify(key: string, signer: string, options: Pick<IdentityOptions, 'randomBytes' | 'now'>): string {
  const privateKey = createPrivateKey(signer);
  return writeCertificate({
    subject: 'stork-agent',
    serial: options.randomBytes(16),
    notBefore: new Date(options.now.getTime() - 24 * 3_600_000),
    notAfter: 'Never',
    publicKey: createPublicKey(key),
    use: 'Identity',
    issuer: { name: 'stork-agent', privateKey, publicKey: createPublicKey(privateKey) },
  });
}

function isOf(certificate: string, pin: string): boolean {
  try {
    return pinOf(new X509Certificate(certificate).publicKey) === pin;
  } catch {
    // Not a certificate at all.
    return false;
  }
}

function readKey(pem: string, namespace: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // The cause is dropped: OpenSSL's text adds nothing, and key material must not travel in errors.
    throw notAnIdentity(namespace);
  }
}

function notAnIdentity(namespace: string): StorkError {
  return new StorkError({
    code: 'InvalidIdentity',
    message: `Secret ${namespace}/${secretName} holds no private key`,
    about: `${core.secrets.kind} ${namespace}/${secretName}`,
    hint: 'Restore it from a backup, or delete it and pair anew: existing pairs know this agent by that key.',
  });
}
