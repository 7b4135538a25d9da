/** Options that say what a repository is opened with, and what a new key slot wraps its key with. Secrets come from files only. */
import { readFileSync, statSync } from 'node:fs';
import type { ParseArgsOptionsConfig } from 'node:util';
import type { Ambient } from '../../../kube/ambient.ts';
import { StorkError } from '../../../kube/errors.ts';
import { parseIdentities } from '../keys/age-slot.ts';
import { type KeyPlugin, parseKeyPluginConfig, programPlugin } from '../keys/key-plugin.ts';
import type { Wrapping } from '../keys/key-slots.ts';
import { byPassphrase, type Unlock } from '../keys/unlock.ts';

export const unlockOptions = {
  'password-file': { type: 'string', short: 'p' },
  'password-secret': { type: 'string' },
  'identity-file': { type: 'string' },
  'key-plugin': { type: 'string' },
} as const satisfies ParseArgsOptionsConfig;

export const unlockUsage = `  -p, --password-file FILE    its password, in the file's first line; or instead
      --password-secret NAMESPACE/NAME[/KEY]   the Kubernetes Secret that holds it, under the key password unless said, or
      --identity-file FILE    the age identity (AGE-SECRET-KEY-1…) that one of its key slots is for, or
      --key-plugin FILE       the config of a program that unwraps one: docs/repository-keys.md
`;

type Given = Readonly<Record<string, unknown>>;

interface Asker {
  readonly ambient: Ambient;
  warn(line: string): void;
}

/** The environment goes to a plug-in. @param prefix of another repository's options @throws `ArgumentInvalid`, `IdentityInvalid`, `KeyPluginConfigInvalid`, and as `passwordOfSecret` */
export async function readUnlock(given: Given, { ambient, warn }: Asker, prefix: '' | 'from-' = ''): Promise<Unlock> {
  const { env } = ambient;
  const names = ['password-file', 'password-secret', 'identity-file', 'key-plugin'] as const;
  const told = names.filter((name) => typeof given[prefix + name] === 'string');
  if (told.length !== 1)
    throw wrongArgument(
      'Say in one way what opens it',
      names
        .map((name) => `--${prefix}${name}`)
        .join(', ')
        .replace(/, ([^,]*)$/, ' or $1'),
    );
  const file = String(given[prefix + told[0]]);
  switch (told[0]) {
    case 'identity-file': {
      warnWhenOthersRead(file, warn);
      return { by: 'Identities', identities: await parseIdentities(readSmallFile(file, 'identity file'), file) };
    }
    case 'password-secret': {
      const place = parseSecretPlace(file);
      if (place === undefined)
        throw wrongArgument('This is no NAMESPACE/NAME or NAMESPACE/NAME/KEY', `--${prefix}password-secret`);
      // The client of Kubernetes is loaded when it is asked for.
      const { passwordOfSecret } = await import('./password-secret.ts');
      return byPassphrase(await passwordOfSecret(place, ambient));
    }
    case 'key-plugin':
      return { by: 'Plugin', plugin: readPlugin(file, env) };
    default:
      return byPassphrase(readPassword(file));
  }
}

/** Where `--password-secret` finds a password. */
export interface SecretPlace {
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
}

const placePattern =
  /^([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)\/([a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?)(?:\/([-._a-zA-Z0-9]{1,253}))?$/;

/** Pure. Undefined: it is no NAMESPACE/NAME[/KEY]. */
export function parseSecretPlace(text: string): SecretPlace | undefined {
  const [, namespace, name, key = 'password'] = placePattern.exec(text) ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name, key };
}

/** What anybody may write is run as us. */
function readPlugin(file: string, env: Ambient['env']): KeyPlugin {
  refuseWritable(file);
  const config = parseKeyPluginConfig(readSmallFile(file, 'config of the key plug-in'), file);
  refuseWritable(config.command[0]);
  return programPlugin(config, env);
}

function refuseWritable(file: string): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats !== undefined && (stats.mode & 0o002) !== 0)
    throw wrongArgument('Anybody may write to this file, so anybody could say what is run: chmod o-w it', file);
}

export const wrappingOptions = {
  'new-password-file': { type: 'string' },
  'new-key-plugin': { type: 'string' },
  recipient: { type: 'string', multiple: true },
  'recipients-file': { type: 'string' },
} as const satisfies ParseArgsOptionsConfig;

export const wrappingUsage = `      --new-password-file FILE   the new passphrase, in the file's first line
      --recipient age1…          add: a recipient of age; may be repeated: any one of them opens the slot
      --recipients-file FILE     add: recipients, one a line
      --new-key-plugin FILE      a program that wraps the key, by its config
`;

/** @throws `ArgumentInvalid` unless it is told in exactly one way; `KeyPluginConfigInvalid` */
export function readWrapping(given: Given, env: Ambient['env']): Wrapping {
  const { 'new-password-file': passwordFile, 'new-key-plugin': plugin } = given;
  const recipients = readRecipients(given);
  const ways = [typeof passwordFile === 'string', typeof plugin === 'string', recipients.length > 0];
  if (ways.filter((isTold) => isTold).length !== 1)
    throw wrongArgument(
      'Say in one way what opens the new key slot',
      '--new-password-file, --recipient or --new-key-plugin',
    );
  if (typeof passwordFile === 'string') return byPassphrase(readPassword(passwordFile));
  return typeof plugin === 'string'
    ? { by: 'Plugin', plugin: readPlugin(plugin, env) }
    : { by: 'Recipients', recipients };
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
function warnWhenOthersRead(file: string, warn: Asker['warn']): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats?.isFile() === true && (stats.mode & 0o077) !== 0)
    warn(`${file} can be read by other users of this machine: chmod 600 it`);
}

export const wrongArgument = (message: string, about?: string): StorkError =>
  new StorkError({ code: 'ArgumentInvalid', message, about, hint: 'See --help.' });

export const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
