/**
 * Opens small sealed blobs with the libraries that Node carries, one context of each for all blobs and in memory that is used again:
 * node:crypto makes streams and contexts for every message, which takes longer than deciphering some KiB does. The checks are those of
 * `unsealBlob`. Undefined where there is no node:ffi, or Node was built without those symbols.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import { createRequire } from 'node:module';
import type { PackedBlob } from './pack.ts';
import { ivBytes, macBytes, type RepositoryKey, sealOverheadBytes } from './seal.ts';
import { smallLimitBytes } from './small-zstd.ts';

export interface SmallBlobOpener {
  /**
   * The content, proven by MAC and id, until the next call. Undefined when it is too large for this, or not what it should be:
   * `unsealBlob` opens it then, or says what is wrong.
   */
  open(sealed: Uint8Array, blob: Pick<PackedBlob, 'id' | 'uncompressedLength'>): Buffer | undefined;
}

export function smallBlobOpener(key: RepositoryKey): SmallBlobOpener | undefined {
  try {
    return openerOf(key);
  } catch {
    return undefined;
  }
}

const sealedLimitBytes = smallLimitBytes + sealOverheadBytes;
const macKeyBytes = 32;
const encrypting = 1;

function openLibraries() {
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
    ZSTD_createDCtx: { arguments: [], return: 'pointer' },
    ZSTD_decompressDCtx: { arguments: ['pointer', 'pointer', 'u64', 'pointer', 'u64'], return: 'u64' },
  });
  /** Memory that keeps its address. */
  const pinned = (length: number) => {
    const bytes = Buffer.allocUnsafeSlow(length);
    return { bytes, address: ffi.getRawPointer(bytes) };
  };
  return { calls: functions, pinned };
}

type Libraries = ReturnType<typeof openLibraries>;

function openerOf(key: RepositoryKey): SmallBlobOpener | undefined {
  const libraries = openLibraries();
  const { calls, pinned } = libraries;
  const sealedPlace = pinned(sealedLimitBytes);
  const contentPlace = pinned(smallLimitBytes);
  const isAuthentic = authenticator(key, libraries, sealedPlace);
  const decipher = decipherer(key, libraries, sealedPlace.address);
  const decompressor = calls.ZSTD_createDCtx();
  if (isAuthentic === undefined || decipher === undefined || decompressor === 0n) return undefined;
  const bodyAt = sealedPlace.address + BigInt(ivBytes);
  const contentLimit = BigInt(smallLimitBytes);
  return {
    open(sealed, { id, uncompressedLength }) {
      const length = sealed.length - sealOverheadBytes;
      if (length <= 0 || length > smallLimitBytes || (uncompressedLength ?? 0) > smallLimitBytes) return undefined;
      sealedPlace.bytes.set(sealed, 0);
      if (!isAuthentic(length) || !decipher(bodyAt, length)) return undefined;
      let content = sealedPlace.bytes.subarray(ivBytes, ivBytes + length);
      if (uncompressedLength !== undefined) {
        const { address, bytes } = contentPlace;
        const made = calls.ZSTD_decompressDCtx(decompressor, address, contentLimit, bodyAt, BigInt(length));
        // Error codes are larger than any length.
        if (made !== BigInt(uncompressedLength)) return undefined;
        content = bytes.subarray(0, uncompressedLength);
      }
      return hash('sha256', content, 'hex') === id ? content : undefined;
    },
  };
}

/** Whether the MAC of what lies in `place` (IV, so many bytes, MAC) is right. See `authenticate` in seal.ts. */
function authenticator(
  { macK, macR }: RepositoryKey,
  { calls, pinned }: Libraries,
  place: { readonly bytes: Buffer; readonly address: bigint },
): ((length: number) => boolean) | undefined {
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
  const wanted = Buffer.alloc(macBytes);
  const macLimit = BigInt(macBytes);
  const bodyAt = place.address + BigInt(ivBytes);
  return (length) => {
    place.bytes.copy(wanted, 0, ivBytes + length, ivBytes + length + macBytes);
    return (
      calls.EVP_CipherUpdate(block, secondHalf, sumLength.address, place.address, ivBytes) === 1 &&
      calls.EVP_MAC_init(mac, oneTimeKey.address, BigInt(macKeyBytes), 0n) === 1 &&
      calls.EVP_MAC_update(mac, bodyAt, BigInt(length)) === 1 &&
      calls.EVP_MAC_final(mac, sum.address, sumLength.address, macLimit) === 1 &&
      timingSafeEqual(sum.bytes, wanted)
    );
  };
}

/** Deciphers in place, with the IV at `ivAt`. */
function decipherer(
  { encrypt }: RepositoryKey,
  { calls, pinned }: Libraries,
  ivAt: bigint,
): ((at: bigint, length: number) => boolean) | undefined {
  const cipher = calls.EVP_CIPHER_fetch(0n, Buffer.from('AES-256-CTR\0'), 0n);
  const context = calls.EVP_CIPHER_CTX_new();
  if (cipher === 0n || context === 0n) return undefined;
  const [ownKey, written] = [pinned(encrypt.length), pinned(8)];
  ownKey.bytes.set(encrypt);
  // A counter mode deciphers as it enciphers.
  if (calls.EVP_CipherInit_ex2(context, cipher, ownKey.address, ivAt, encrypting, 0n) !== 1) return undefined;
  return (at, length) =>
    calls.EVP_CipherInit_ex2(context, 0n, 0n, ivAt, encrypting, 0n) === 1 &&
    calls.EVP_CipherUpdate(context, at, written.address, at, length) === 1;
}
