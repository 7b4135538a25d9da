/**
 * A password slot: the master key, sealed with a key that scrypt makes of a password. An object under `keys/`, plain JSON.
 * Source: "Keys, Encryption and MAC" of restic's design document.
 */
import { type ScryptOptions, scrypt, scryptSync } from 'node:crypto';
import { promisify } from 'node:util';
import { failDamaged, failRepository } from '../repository-error.ts';
import { readJson } from './read-json.ts';
import { ivBytes, type RepositoryKey, seal, sealOverheadBytes, unseal } from './seal.ts';

export interface KeySlotOwner {
  readonly created: Date;
  readonly username: string;
  readonly hostname: string;
}

/** Costs of scrypt: 32 MiB and about 0.1 s a try, as restic's own slots. */
const cost = { N: 32_768, r: 8, p: 1 } as const;
/** What a slot may ask of us: a hostile one must not eat all memory. restic's own ask for up to 60 MiB and half a second. */
const costLimit = { N: 1 << 20, r: 32, p: 64, memoryBytes: 2 ** 28, workBytes: 2 ** 31 } as const;
const scryptLimits = { maxmem: 2 * costLimit.memoryBytes };
const saltBytes = 64;
const derivedBytes = 64;
/** Beside what else there is to do meanwhile. */
const deriveBytes = promisify<string, Uint8Array, number, ScryptOptions, Buffer>(scrypt);

export function newMasterKey(randomBytes: (sizeBytes: number) => Uint8Array): RepositoryKey {
  const random = Buffer.from(randomBytes(64));
  return splitKey(random);
}

export function encodeKeyFile(
  master: RepositoryKey,
  password: string,
  owner: KeySlotOwner,
  randomBytes: (sizeBytes: number) => Uint8Array,
): string {
  const salt = Buffer.from(randomBytes(saltBytes));
  const data = seal(
    splitKey(scryptSync(password, salt, derivedBytes, { ...cost, ...scryptLimits })),
    encodeMasterKey(master),
    randomBytes(ivBytes),
  );
  return JSON.stringify({
    created: owner.created.toISOString(),
    username: owner.username,
    hostname: owner.hostname,
    kdf: 'scrypt',
    ...cost,
    salt: salt.toString('base64'),
    data: data.toString('base64'),
  });
}

/** The master key, or undefined when the password is another one. Throws `RepositoryDamaged` for what is no key file. */
export async function openKeyFile(
  bytes: Uint8Array,
  password: string,
  about: string,
): Promise<RepositoryKey | undefined> {
  const read = readJson(bytes, about);
  if (read.text('kdf', 32) !== 'scrypt')
    failRepository('KeySlotUnknown', 'A key file uses a key derivation other than scrypt', about);
  const asked = { N: read.count('N'), r: read.count('r'), p: read.count('p') };
  const memoryBytes = 128 * asked.N * asked.r;
  const isFair =
    asked.N <= costLimit.N &&
    asked.r <= costLimit.r &&
    asked.p <= costLimit.p &&
    memoryBytes <= costLimit.memoryBytes &&
    memoryBytes * asked.p <= costLimit.workBytes;
  const isPower = asked.N > 1 && Number.isInteger(Math.log2(asked.N)) && asked.r > 0 && asked.p > 0;
  if (!isFair || !isPower) failDamaged('A key file asks for impossible scrypt costs', about);
  const sealed = Buffer.from(read.text('data'), 'base64');
  if (sealed.length < sealOverheadBytes) failDamaged('A key file holds no key', about);
  const salt = Buffer.from(read.text('salt', 1024), 'base64');
  const derived = splitKey(await deriveBytes(password, salt, derivedBytes, { ...asked, ...scryptLimits }));
  let json: Buffer;
  try {
    json = unseal(derived, sealed, about);
  } catch {
    return undefined;
  }
  return readMasterKey(json, about);
}

/** What every slot wraps, whatever it wraps it with: restic's JSON of the key. */
export const encodeMasterKey = ({ encrypt, macK, macR }: RepositoryKey): Buffer =>
  Buffer.from(
    JSON.stringify({
      mac: { k: macK.toString('base64'), r: macR.toString('base64') },
      encrypt: encrypt.toString('base64'),
    }),
  );

/** Throws `RepositoryDamaged`. */
export function readMasterKey(json: Uint8Array, about: string): RepositoryKey {
  const read = readJson(json, about);
  const part = (text: string, size: number) => {
    const bytes = Buffer.from(text, 'base64');
    return bytes.length === size ? bytes : failDamaged('A key has the wrong length', about);
  };
  const mac = read.object('mac');
  return {
    encrypt: part(read.text('encrypt', 64), 32),
    macK: part(mac.text('k', 64), 16),
    macR: part(mac.text('r', 64), 16),
  };
}

/** @param bytes 64 */
export const splitKey = (bytes: Buffer): RepositoryKey => ({
  encrypt: bytes.subarray(0, 32),
  macK: bytes.subarray(32, 48),
  macR: bytes.subarray(48, 64),
});
