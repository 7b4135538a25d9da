/**
 * Encryption of everything in a repository: AES-256-CTR under a random IV, then Poly1305-AES over the ciphertext.
 * Source: "Keys, Encryption and MAC" of restic's design document (https://restic.readthedocs.io/en/stable/100_references.html).
 */
import { type Cipheriv, createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto';
import { releaseMemory } from '../../mover/release-memory.ts';
import { failDamaged } from '../repository-error.ts';
import { poly1305 } from './poly1305.ts';

/** The key of a whole repository, or the one that scrypt makes of a password. */
export interface RepositoryKey {
  /** 32 bytes for AES-256-CTR. */
  readonly encrypt: Buffer;
  /** 16 bytes: the AES-128 key that turns the nonce into the MAC's second half. */
  readonly macK: Buffer;
  /** 16 bytes: the polynomial's point. */
  readonly macR: Buffer;
}

export const ivBytes = 16;
export const macBytes = 16;
/** How much longer sealed bytes are. */
export const sealOverheadBytes = ivBytes + macBytes;

const pieceBytes = 4 * 1024 * 1024;

/**
 * IV ‖ ciphertext ‖ MAC.
 * @param iv 16 random bytes, never used twice with this key
 */
export function seal(key: RepositoryKey, plaintext: Uint8Array, iv: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-ctr', key.encrypt, iv);
  const sealed = Buffer.allocUnsafe(plaintext.length + sealOverheadBytes);
  sealed.set(iv, 0);
  // A large message would lie in memory once more.
  for (let at = 0; at < plaintext.length; at += pieceBytes) {
    const ciphertext = cipher.update(plaintext.subarray(at, at + pieceBytes));
    sealed.set(ciphertext, ivBytes + at);
    releaseMemory(ciphertext);
  }
  const end = ivBytes + plaintext.length;
  sealed.set(authenticate(key, iv, sealed.subarray(ivBytes, end)), end);
  return sealed;
}

/** The plaintext of what `seal` made. Throws `RepositoryDamaged` unless every byte is authentic. */
export function unseal(key: RepositoryKey, sealed: Uint8Array, about?: string): Buffer {
  if (sealed.length < sealOverheadBytes) return failDamaged('An encrypted object is too short', about);
  const iv = sealed.subarray(0, ivBytes);
  const ciphertext = sealed.subarray(ivBytes, sealed.length - macBytes);
  const mac = sealed.subarray(sealed.length - macBytes);
  if (!timingSafeEqual(authenticate(key, iv, ciphertext), mac))
    return failDamaged('An encrypted object was altered, or belongs to another key', about);
  return createDecipheriv('aes-256-ctr', key.encrypt, iv).update(ciphertext);
}

function authenticate(key: RepositoryKey, nonce: Uint8Array, ciphertext: Uint8Array): Buffer {
  // Poly1305's one-time key is r ‖ s; the implementation clamps r as its specification asks.
  return poly1305(Buffer.concat([key.macR, blockCipher(key.macK).update(nonce)]), ciphertext);
}

const blockCiphers = new WeakMap<Buffer, Cipheriv>();

/** AES-128 of single blocks: ECB keeps nothing from one to the next, so one cipher does for all nonces. */
function blockCipher(macK: Buffer): Cipheriv {
  const known = blockCiphers.get(macK);
  if (known !== undefined) return known;
  const made = createCipheriv('aes-128-ecb', macK, null).setAutoPadding(false);
  blockCiphers.set(macK, made);
  return made;
}
