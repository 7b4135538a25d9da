/** Options that say what a repository is opened with, and what a new key slot wraps its key with. Secrets come from files only. */
import { readFileSync, statSync } from 'node:fs';
import type { ParseArgsOptionsConfig } from 'node:util';
import { StorkError } from '../../../kube/errors.ts';
import { parseIdentities } from '../keys/age-slot.ts';
import type { Wrapping } from '../keys/key-slots.ts';
import { byPassphrase, type Unlock } from '../keys/unlock.ts';

export const unlockOptions = {
  'password-file': { type: 'string', short: 'p' },
  'identity-file': { type: 'string' },
} as const satisfies ParseArgsOptionsConfig;

export const unlockUsage = `  -p, --password-file FILE    its password, in the file's first line; or instead
      --identity-file FILE    the age identity (AGE-SECRET-KEY-1…) that one of its key slots is for
`;

type Given = Readonly<Record<string, unknown>>;

/** @throws `ArgumentInvalid`, `IdentityInvalid` */
export async function readUnlock(given: Given, warn: (line: string) => void): Promise<Unlock> {
  const [passwordFile, identityFile] = [given['password-file'], given['identity-file']];
  if (typeof passwordFile === 'string' && typeof identityFile === 'string')
    throw wrongArgument('Give one of the two', '--password-file, --identity-file');
  if (typeof passwordFile === 'string') return byPassphrase(readPassword(passwordFile));
  if (typeof identityFile !== 'string')
    throw wrongArgument('Say where its password is', '--password-file, or --identity-file');
  warnWhenOthersRead(identityFile, warn);
  const text = readSmallFile(identityFile, 'identity file');
  return { by: 'Identities', identities: await parseIdentities(text, identityFile) };
}

export const wrappingOptions = {
  'new-password-file': { type: 'string' },
  recipient: { type: 'string', multiple: true },
  'recipients-file': { type: 'string' },
} as const satisfies ParseArgsOptionsConfig;

export const wrappingUsage = `      --new-password-file FILE   the new passphrase, in the file's first line
      --recipient age1…          add: a recipient of age; may be repeated: any one of them opens the slot
      --recipients-file FILE     add: recipients, one a line
`;

/** @throws `ArgumentInvalid` unless it is told in exactly one way */
export function readWrapping(given: Given): Wrapping {
  const passwordFile = given['new-password-file'];
  const recipients = readRecipients(given);
  if (typeof passwordFile === 'string' && recipients.length === 0)
    return { by: 'Passphrase', passphrase: readPassword(passwordFile) };
  if (typeof passwordFile !== 'string' && recipients.length > 0) return { by: 'Recipients', recipients };
  throw wrongArgument('Say in one way what opens the new key slot', '--new-password-file, --recipient');
}

function readRecipients(given: Given): readonly string[] {
  const file = given['recipients-file'];
  const lines = typeof file === 'string' ? readSmallFile(file, 'file of recipients').split(/\r?\n/) : [];
  const listed = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  return [...new Set([...textsOf(given.recipient), ...listed])];
}

/** The file's first line. */
export const readPassword = (file: string): string => readSmallFile(file, 'password file').split(/\r?\n/, 1)[0] ?? '';

const fileLimitBytes = 64 * 1024;

export function readSmallFile(file: string, what: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw wrongArgument(`The ${what} cannot be read: ${cause instanceof Error ? cause.message : ''}`, file);
  }
  if (bytes.length > fileLimitBytes) throw wrongArgument(`The ${what} has more than ${fileLimitBytes} bytes`, file);
  return bytes.toString('utf8');
}

/** A file that others may read is no secret; a mounted Secret's mode is its mount's, so this only tells. */
function warnWhenOthersRead(file: string, warn: (line: string) => void): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats?.isFile() === true && (stats.mode & 0o077) !== 0)
    warn(`${file} can be read by other users of this machine: chmod 600 it`);
}

export const wrongArgument = (message: string, about?: string): StorkError =>
  new StorkError({ code: 'ArgumentInvalid', message, about, hint: 'See --help.' });

export const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
