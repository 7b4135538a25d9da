/**
 * One-time codes: `stork1.<base64url JSON {pairId, endpoints, pin, secret, expires}>.<crc32>`. Pure.
 * The secret itself is known to the two admins only; the accepting agent keeps a proof key derived from it, enough to check
 * a joiner's HMAC, which also binds the proof to one TLS channel and both pins, so that it is of no use elsewhere.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Infer, integer, list, object, parse, required, string } from '../../crds/schema/index.ts';
import { StorkError } from '../../kube/errors.ts';

const prefix = 'stork1';
/** Sixteen endpoints of 261 characters fit; anything longer isn't ours. */
const codeLimitCharacters = 8192;
const secretBytes = 32;
const pairIdBytes = 16;

const base64urlOf = (bytes: number) => {
  const length = Math.ceil((bytes * 4) / 3);
  return required(string({ minLength: length, maxLength: length, pattern: '^[A-Za-z0-9_-]+$' }));
};

/** Hexadecimal, so that it fits labels and paths. */
export const pairIdSchema = required(string({ pattern: `^[0-9a-f]{${2 * pairIdBytes}}$` }));
/** SHA-256 of a SubjectPublicKeyInfo, base64url. */
export const pinSchema = base64urlOf(32);
const hostPattern = '([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])';
/** 1 to 65535: another number makes a socket throw instead of being refused. */
const portPattern = '([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])';
export const endpointSchema = required(string({ maxLength: 261, pattern: `^${hostPattern}:${portPattern}$` }));

const invitationSchema = object({
  pairId: pairIdSchema,
  endpoints: required(list(endpointSchema, { minItems: 1, maxItems: 16 })),
  pin: pinSchema,
  secret: base64urlOf(secretBytes),
  /** Seconds since 1970. */
  expires: required(integer({ minimum: 0 })),
});
export type Invitation = Infer<typeof invitationSchema>;

/** What the accepting agent keeps of an invitation: nothing that leads back to the code. */
export interface InvitationRecord {
  readonly pairId: string;
  /** Derived from the secret; base64url. Whoever has it can join, so it stays in a Secret of the agent's namespace. */
  readonly proofKey: string;
  /** Seconds since 1970. */
  readonly expires: number;
  /** The first joiner's pin, once there was one. */
  readonly joinerPin: string | undefined;
}

export function mintInvitation(given: {
  readonly endpoints: readonly string[];
  readonly pin: string;
  readonly now: Date;
  readonly ttlSeconds: number;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
}): { readonly code: string; readonly record: InvitationRecord } {
  const { endpoints, pin, randomBytes } = given;
  const invitation: Invitation = {
    pairId: Buffer.from(randomBytes(pairIdBytes)).toString('hex'),
    endpoints,
    pin,
    secret: Buffer.from(randomBytes(secretBytes)).toString('base64url'),
    expires: Math.floor(given.now.getTime() / 1000) + given.ttlSeconds,
  };
  const { pairId, expires } = invitation;
  const record = { pairId, expires, proofKey: proofKeyOf(invitation.secret), joinerPin: undefined };
  return { code: renderCode(invitation), record };
}

export function renderCode(invitation: Invitation): string {
  const body = `${prefix}.${Buffer.from(JSON.stringify(invitation)).toString('base64url')}`;
  return `${body}.${checksumOf(body)}`;
}

/** White space around and inside (a code broken over lines) is ignored. @throws StorkError `InvalidCode`, never quoting it */
export function parseCode(text: string): Invitation {
  if (text.length > 2 * codeLimitCharacters) throw invalidCode('is too long');
  const code = text.replaceAll(/\s+/g, '');
  const [head, payload, checksum, ...rest] = code.split('.');
  if (head !== prefix || payload === undefined || checksum === undefined || rest.length > 0) {
    throw invalidCode(`does not have the form ${prefix}.….…`);
  }
  if (checksum !== checksumOf(`${head}.${payload}`))
    throw invalidCode('was altered or mistyped: its checksum is wrong');
  try {
    return parse(invitationSchema, JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
  } catch (cause) {
    // The cause could quote the code, so it is left out.
    throw invalidCode(`has contents we don't understand (${cause instanceof Error ? cause.name : 'unknown'})`);
  }
}

/** The key of the join proofs: one-way from the secret, the same at both ends. */
export function proofKeyOf(secret: string): string {
  return createHmac('sha256', Buffer.from(secret, 'base64url')).update('stork-join/1 proof key').digest('base64url');
}

/**
 * The proof that `role` knows the secret, good on one TLS channel only.
 * @param exporter keying material of that channel (RFC 8446 section 7.5)
 */
export function joinProof(
  proofKey: string,
  given: {
    readonly role: 'joiner' | 'acceptor';
    readonly exporter: Uint8Array;
    readonly joinerPin: string;
    readonly acceptorPin: string;
    readonly pairId: string;
  },
): string {
  const parts = [given.role, given.joinerPin, given.acceptorPin, given.pairId];
  const hmac = createHmac('sha256', Buffer.from(proofKey, 'base64url')).update(given.exporter);
  for (const part of parts) hmac.update(`${Buffer.byteLength(part)}:${part}`);
  return hmac.digest('base64url');
}

/** Compares two proofs in constant time. */
export function sameProof(left: string, right: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}

export type JoinDecision =
  | { readonly do: 'bind' }
  /** The same joiner again: its first answer may have been lost. */
  | { readonly do: 'repeat' }
  | { readonly do: 'refuse'; readonly code: JoinRefusal; readonly message: string };

export type JoinRefusal = 'UnknownCode' | 'WrongCode' | 'CodeExpired' | 'CodeUsed';

/** What to do with somebody who presents a code. The order matters: without the secret one learns nothing but "wrong". */
export function decideJoin(
  record: InvitationRecord | undefined,
  attempt: { readonly joinerPin: string; readonly proof: 'Right' | 'Wrong'; readonly now: Date },
): JoinDecision {
  if (record === undefined) return refuse('UnknownCode', 'The code belongs to no invitation of this cluster.');
  if (attempt.proof === 'Wrong') return refuse('WrongCode', 'The code was altered: its secret is wrong.');
  if (attempt.now.getTime() >= record.expires * 1000) {
    return refuse('CodeExpired', `The code expired at ${new Date(record.expires * 1000).toISOString()}.`);
  }
  if (record.joinerPin === undefined) return { do: 'bind' };
  if (record.joinerPin === attempt.joinerPin) return { do: 'repeat' };
  const first = fingerprintOf(record.joinerPin);
  const second = fingerprintOf(attempt.joinerPin);
  return refuse('CodeUsed', `The code was used already by the agent ${first}; yours is ${second}.`);
}

/** A pin as people compare it, like ssh: `SHA256:` and base64 without padding. */
export function fingerprintOf(pin: string): string {
  return `SHA256:${Buffer.from(pin, 'base64url').toString('base64').replaceAll('=', '')}`;
}

const refuse = (code: JoinRefusal, message: string): JoinDecision => ({ do: 'refuse', code, message });

const checksumOf = (body: string) => crc32(body).toString(16).padStart(8, '0');

function invalidCode(problem: string): StorkError {
  return new StorkError({
    code: 'InvalidCode',
    message: `The pairing code ${problem}.`,
    hint: 'Copy the whole code again from `kubectl stork pair accept` on the accepting cluster.',
  });
}
