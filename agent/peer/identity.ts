/**
 * Who this agent is to its peers: a P-256 key in the Secret `stork-identity`, made once; replicas that start together agree
 * on the one whose create won. The certificate is made anew from the key at each start and never expires by date, because
 * peers trust the pinned key and look at nothing else.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { StorkError } from '../../kube/errors.ts';
import { fingerprintOf } from './invitation.ts';
import { ensureSecret } from './secret-store.ts';
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

/** @throws StorkError `InvalidIdentity` when the Secret holds something else */
export async function ensureIdentity(options: IdentityOptions): Promise<Identity> {
  const { client, namespace, signal } = options;
  const held = await ensureSecret({
    client,
    namespace,
    name: secretName,
    signal,
    make: () => ({ 'key.pem': newPrivateKey() }),
  });
  const pem = held['key.pem'];
  if (pem === undefined) throw notAnIdentity(namespace);
  return identityFrom(pem, options, namespace);
}

/** An identity that lives in memory only. */
export function createIdentity(options: Pick<IdentityOptions, 'randomBytes' | 'now'>): Identity {
  return identityFrom(newPrivateKey(), options, '');
}

export function newPrivateKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function identityFrom(pem: string, options: Pick<IdentityOptions, 'randomBytes' | 'now'>, namespace: string): Identity {
  const privateKey = readKey(pem, namespace);
  const publicKey = createPublicKey(privateKey);
  const certificate = writeCertificate({
    subject: 'stork-agent',
    serial: options.randomBytes(16),
    notBefore: new Date(options.now.getTime() - 24 * 3_600_000),
    notAfter: 'Never',
    publicKey,
    use: 'Identity',
    issuer: { name: 'stork-agent', privateKey, publicKey },
  });
  const pin = pinOf(publicKey);
  return { key: pem, certificate, pin, fingerprint: fingerprintOf(pin) };
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
