/**
 * OpenSSL and zstd as Node carries them, one context of each for all calls, in memory that keeps its address: node:crypto and node:zlib
 * make streams and contexts for every message, which takes longer than enciphering some KiB does. For messages that lie as
 * IV ‖ body ‖ MAC in one place: see seal.ts.
 */
import { createRequire } from 'node:module';
import { ivBytes, macBytes, type RepositoryKey } from './seal.ts';

const macKeyBytes = 32;
const encrypting = 1;

/** Memory that keeps its address. */
export interface Place {
  readonly bytes: Buffer;
  readonly address: bigint;
}

/** @throws where there is no node:ffi, or Node was built without those symbols */
export function openLibraries() {
  const ffi = createRequire(import.meta.url)('node:ffi') as typeof import('node:ffi');
  const { functions } = ffi.dlopen(null, {
    EVP_CIPHER_fetch: { arguments: ['pointer', 'buffer', 'pointer'], return: 'pointer' },
    EVP_CIPHER_CTX_new: { arguments: [], return: 'pointer' },
    EVP_CipherInit_ex2: { arguments: ['pointer', 'pointer', 'pointer', 'pointer', 'i32', 'pointer'], return: 'i32' },
    EVP_CipherUpdate: { arguments: ['pointer', 'pointer', 'pointer', 'pointer', 'i32'], return: 'i32' },
    EVP_MAC_fetch: { arguments: ['pointer', 'buffer', 'pointer'], return: 'pointer' },
    EVP_MAC_CTX_new: { arguments: ['pointer'], return: 'pointer' },
    EVP_MAC_init: { arguments: ['pointer', 'pointer', 'u64', 'pointer'], return: 'i32' },
    EVP_MAC_update: { arguments: ['pointer', 'pointer', 'u64'], return: 'i32' },
    EVP_MAC_final: { arguments: ['pointer', 'pointer', 'pointer', 'u64'], return: 'i32' },
    ZSTD_createCCtx: { arguments: [], return: 'pointer' },
    ZSTD_compressCCtx: { arguments: ['pointer', 'pointer', 'u64', 'pointer', 'u64', 'i32'], return: 'u64' },
    ZSTD_createDCtx: { arguments: [], return: 'pointer' },
    ZSTD_decompressDCtx: { arguments: ['pointer', 'pointer', 'u64', 'pointer', 'u64'], return: 'u64' },
  });
  const pinned = (length: number): Place => {
    const bytes = Buffer.allocUnsafeSlow(length);
    return { bytes, address: ffi.getRawPointer(bytes) };
  };
  return { calls: functions, pinned };
}

export type Libraries = ReturnType<typeof openLibraries>;

/**
 * The MAC of what lies in `place`: IV, then so many bytes of body. As `authenticate` in seal.ts; valid until the next call.
 * Undefined when a library refuses.
 */
export function smallMac(
  { macK, macR }: RepositoryKey,
  { calls, pinned }: Libraries,
  place: Place,
): ((length: number) => Buffer | undefined) | undefined {
  const cipher = calls.EVP_CIPHER_fetch(0n, Buffer.from('AES-128-ECB\0'), 0n);
  const block = calls.EVP_CIPHER_CTX_new();
  const poly1305 = calls.EVP_MAC_fetch(0n, Buffer.from('POLY1305\0'), 0n);
  const mac = poly1305 === 0n ? 0n : calls.EVP_MAC_CTX_new(poly1305);
  if (cipher === 0n || block === 0n || mac === 0n) return undefined;
  const ownKey = pinned(macK.length);
  ownKey.bytes.set(macK);
  if (calls.EVP_CipherInit_ex2(block, cipher, ownKey.address, 0n, encrypting, 0n) !== 1) return undefined;
  const oneTimeKey = pinned(macKeyBytes);
  oneTimeKey.bytes.set(macR);
  const secondHalf = oneTimeKey.address + BigInt(macR.length);
  const [sum, sumLength] = [pinned(macBytes), pinned(8)];
  const macLimit = BigInt(macBytes);
  const bodyAt = place.address + BigInt(ivBytes);
  return (length) => {
    const isMade =
      calls.EVP_CipherUpdate(block, secondHalf, sumLength.address, place.address, ivBytes) === 1 &&
      calls.EVP_MAC_init(mac, oneTimeKey.address, BigInt(macKeyBytes), 0n) === 1 &&
      calls.EVP_MAC_update(mac, bodyAt, BigInt(length)) === 1 &&
      calls.EVP_MAC_final(mac, sum.address, sumLength.address, macLimit) === 1;
    return isMade ? sum.bytes : undefined;
  };
}

/** Enciphers, or deciphers, the body in `place` under the IV before it: a counter mode does the same for both. */
export function smallCipher(
  { encrypt }: RepositoryKey,
  { calls, pinned }: Libraries,
  { address }: Place,
): ((length: number) => boolean) | undefined {
  const cipher = calls.EVP_CIPHER_fetch(0n, Buffer.from('AES-256-CTR\0'), 0n);
  const context = calls.EVP_CIPHER_CTX_new();
  if (cipher === 0n || context === 0n) return undefined;
  const [ownKey, written] = [pinned(encrypt.length), pinned(8)];
  ownKey.bytes.set(encrypt);
  if (calls.EVP_CipherInit_ex2(context, cipher, ownKey.address, address, encrypting, 0n) !== 1) return undefined;
  const bodyAt = address + BigInt(ivBytes);
  return (length) =>
    calls.EVP_CipherInit_ex2(context, 0n, 0n, address, encrypting, 0n) === 1 &&
    calls.EVP_CipherUpdate(context, bodyAt, written.address, bodyAt, length) === 1;
}
