/** What commands take as `-o KIND.NAME=VALUE`, with restic's names where restic has them. Pure. */
import { StorkError } from '../../../kube/errors.ts';

/** By name: what it may be, for people, and which values are taken. */
const known = {
  's3.region': { takes: 'a region', pattern: /^[a-z0-9-]+$/ },
  's3.bucket-lookup': { takes: 'auto, dns or path', pattern: /^(auto|dns|path)$/ },
  's3.storage-class': { takes: 'a storage class', pattern: /^[A-Z0-9_]+$/ },
  's3.connections': { takes: 'a number from 1 to 64', pattern: /^([1-9]|[1-5]\d|6[0-4])$/ },
  's3.server-side-encryption': { takes: 'AES256, aws:kms or aws:kms:dsse', pattern: /^(AES256|aws:kms(:dsse)?)$/ },
  's3.kms-key-id': { takes: 'the id or ARN of a key', pattern: /^\S+$/ },
  's3.object-lock': {
    takes: 'GOVERNANCE:DAYS, COMPLIANCE:DAYS or none',
    pattern: /^(none|(GOVERNANCE|COMPLIANCE):[1-9]\d{0,4})$/,
  },
  'azure.endpoint': { takes: 'a URL', pattern: /^https?:\/\/[^?#@]+$/ },
  'azure.connections': { takes: 'a number from 1 to 64', pattern: /^([1-9]|[1-5]\d|6[0-4])$/ },
  'gs.endpoint': { takes: 'a URL', pattern: /^https?:\/\/[^?#@]+$/ },
  'gs.connections': { takes: 'a number from 1 to 64', pattern: /^([1-9]|[1-5]\d|6[0-4])$/ },
  'rest.connections': { takes: 'a number from 1 to 64', pattern: /^([1-9]|[1-5]\d|6[0-4])$/ },
  'rest.credentials-file': { takes: 'the path of a file that holds USER:PASSWORD', pattern: /^\S.*$/ },
  'rest.tls-client-cert': { takes: 'the path of a PEM file with a certificate and its key', pattern: /^\S.*$/ },
  'rest.tls-fingerprint': {
    takes: "the SHA-256 of the server's certificate, 64 hex digits (colons may stand between)",
    pattern: /^(sha256:)?([0-9a-f]{64}|[0-9a-f]{2}(:[0-9a-f]{2}){31})$/i,
  },
  'local.connections': { takes: 'a number from 1 to 64', pattern: /^([1-9]|[1-5]\d|6[0-4])$/ },
} as const;

type SettingName = keyof typeof known;
export type StoreSettings = Readonly<Partial<Record<SettingName, string>>>;

/** Throws `StoreSettingInvalid`, naming it. */
export function parseStoreSettings(texts: readonly string[]): StoreSettings {
  return Object.fromEntries(texts.map(parseSetting));
}

function parseSetting(text: string): [SettingName, string] {
  const [, name = text, value] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (!isSettingName(name)) return invalid(`there is no option ${name}`, `There are ${Object.keys(known).join(', ')}.`);
  const { takes, pattern } = known[name];
  return value !== undefined && pattern.test(value)
    ? [name, value]
    : invalid(`the option ${name} takes ${takes}`, `Write -o ${name}=…`);
}

export const isObjectLockSetting = (text: string): boolean => known['s3.object-lock'].pattern.test(text);

const isSettingName = (name: string): name is SettingName => Object.hasOwn(known, name);

function invalid(what: string, hint: string): never {
  throw new StorkError({ code: 'StoreSettingInvalid', message: `A store's option is wrong: ${what}`, hint });
}
