/**
 * A key slot for holders of age identities: restic's JSON of the master key, encrypted to one or several X25519 recipients. The file in
 * `data` is plain age v1 (https://c2sp.org/age), which `age --decrypt` opens as well. age proves who can read, never who wrote: see
 * docs/repository-keys.md on stores that nobody should trust.
 */
import { StorkError } from '../../../kube/errors.ts';
import { encodeMasterKey, readMasterKey } from '../format/key-file.ts';
import type { JsonReader } from '../format/read-json.ts';
import type { RepositoryKey } from '../format/seal.ts';
import { failDamaged } from '../repository-error.ts';

export const recipientsLimit = 100;
/** Bech32 of 32 bytes. */
const recipientForm = /^age1[02-9ac-hj-np-z]{58}$/;

/** What the slot's own fields are; its caller adds who made it. @throws `RecipientInvalid` */
export async function wrapForRecipients(master: RepositoryKey, recipients: readonly string[]) {
  if (recipients.length === 0 || recipients.length > recipientsLimit)
    throw wrongRecipient(`A key slot takes 1 to ${recipientsLimit} recipients`, undefined);
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  for (const recipient of recipients) {
    if (!recipientForm.test(recipient)) throw wrongRecipient('This is no recipient of age', recipient.slice(0, 80));
    try {
      encrypter.addRecipient(recipient);
    } catch (cause) {
      throw wrongRecipient('This is no recipient of age: a letter is wrong', recipient, cause);
    }
  }
  const data = Buffer.from(await encrypter.encrypt(encodeMasterKey(master)));
  return { kdf: 'age', recipients, data: data.toString('base64') };
}

const wrongRecipient = (message: string, about: string | undefined, cause?: unknown) =>
  new StorkError({
    code: 'RecipientInvalid',
    message,
    about,
    hint: 'It begins with age1 and has 62 letters and digits: `age-keygen -y IDENTITY-FILE` prints it.',
    cause,
  });

/** The master key, or undefined when the slot is for others. Throws `RepositoryDamaged` for what no slot of ours holds. */
export async function openForIdentities(
  slot: JsonReader,
  identities: readonly string[],
): Promise<RepositoryKey | undefined> {
  const data = Buffer.from(slot.text('data'), 'base64');
  if (data.length === 0) return failDamaged('A key slot holds no key', slot.about);
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  let json: Uint8Array;
  try {
    json = await decrypter.decrypt(data);
  } catch {
    // For others, or altered: as with a passphrase, the two look alike to who can't open it.
    return undefined;
  }
  return readMasterKey(json, slot.about);
}

const identityForm = /^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/;

/**
 * The identities of a file as `age-keygen` writes it: one a line, comments begin with #. No part of one gets into an error.
 * @throws `IdentityInvalid`
 */
export async function parseIdentities(text: string, about: string): Promise<readonly string[]> {
  if (text.startsWith('age-encryption.org/') || text.startsWith('-----BEGIN AGE'))
    throw wrongIdentity(about, 'This identity file is itself encrypted: decrypt it with `age --decrypt` first');
  const lines = text.split(/\r?\n/).map((line, number) => ({ line: line.trim(), number: number + 1 }));
  const found = lines.filter(({ line }) => line !== '' && !line.startsWith('#'));
  if (found.length === 0) throw wrongIdentity(about, 'This file holds no identity');
  const { identityToRecipient } = await import('age-encryption');
  for (const { line, number } of found) {
    const isIdentity =
      identityForm.test(line) && (await identityToRecipient(line).catch(() => undefined)) !== undefined;
    if (!isIdentity) throw wrongIdentity(`${about} line ${number}`, 'This is no identity of age');
  }
  return found.map(({ line }) => line);
}

const wrongIdentity = (about: string, message: string) =>
  new StorkError({
    code: 'IdentityInvalid',
    message,
    about,
    hint: 'A line of it begins with AGE-SECRET-KEY-1: `age-keygen` makes one. Plug-ins of age and ssh keys are not taken.',
  });
