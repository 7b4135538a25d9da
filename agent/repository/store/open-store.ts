/**
 * A store by its address: the kind's own store under bounds, retries and counters, and a cache when one is wanted. The SDKs of clouds are
 * loaded here, when an address asks for one. Asks the store nothing yet.
 */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../../kube/clock.ts';
import { StorkError } from '../../../kube/errors.ts';
import { asOfStore } from './as-of-store.ts';
import { cacheStore } from './cache-store.ts';
import { directoryStore } from './directory-store.ts';
import { limitStore, type StoreLimits } from './limit-store.ts';
import { metricsStore, type StoreRequest } from './metrics-store.ts';
import type { ObjectStore } from './object-store.ts';
import type { RetryOptions } from './patience.ts';
import type { RestCredentials } from './rest-connection.ts';
import { retryStore } from './retry-store.ts';
import { silenceStore } from './silence-store.ts';
import { parseStoreAddress, renderStoreAddress, type StoreAddress } from './store-address.ts';
import { storeRefused } from './store-error.ts';
import type { StoreSettings } from './store-settings.ts';

export interface OpenStoreOptions {
  /** Where credentials and regions are looked for, by the names that restic and the SDKs use. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly uniqueName: () => string;
  readonly settings?: StoreSettings | undefined;
  /** A file with the authorities to trust instead of the system's. */
  readonly caFile?: string | undefined;
  readonly limits?: StoreLimits | undefined;
  /** A directory of this repository's own; without it nothing is cached. */
  readonly cache?: { readonly directory: string; readonly isWorthKeeping?: (name: string) => boolean } | undefined;
  /** The store as it was then, read only and without a cache, which knows the present only. */
  readonly asOf?: Date | undefined;
  readonly onRequest?: ((request: StoreRequest) => void) | undefined;
  readonly onRetry?: RetryOptions['onRetry'] | undefined;
  readonly retryLimits?: RetryOptions['limits'] | undefined;
  /** Put around the bare store: faults, in tests. */
  readonly wrapBare?: ((store: ObjectStore) => ObjectStore) | undefined;
}

/** Restic's, for each kind: enough to fill a link, few enough for any server. */
const connections = { Directory: 16, S3: 16, Azure: 16, GoogleCloud: 16, Rest: 16 } as const;
const connectionsSetting = {
  Directory: 'local.connections',
  S3: 's3.connections',
  Azure: 'azure.connections',
  GoogleCloud: 'gs.connections',
  Rest: 'rest.connections',
} as const;

/** Throws `StoreAddressInvalid`, `StoreAddressSecret`, `StoreSettingInvalid`, `StoreRefused` without credentials, `VersionsMissing`. */
export async function openStore(address: string, options: OpenStoreOptions): Promise<ObjectStore> {
  const parsed = parseStoreAddress(address);
  refuseForeignSettings(parsed, options.settings ?? {});
  const { clock, random, limits, cache, onRequest, onRetry, wrapBare = (store) => store } = options;
  const bare = wrapBare(await openBare(parsed, options));
  const counted = onRequest === undefined ? bare : metricsStore(bare, onRequest, clock);
  const given = options.settings?.[connectionsSetting[parsed.kind]];
  const requestsAtOnce = limits?.requestsAtOnce ?? (given === undefined ? connections[parsed.kind] : Number(given));
  // Retries are outermost, so that who waits for another try holds no place.
  const limited = limitStore(counted, { ...limits, requestsAtOnce }, clock);
  const retried = retryStore(limited, {
    ...{ clock, random },
    ...(onRetry === undefined ? {} : { onRetry }),
    ...(options.retryLimits === undefined ? {} : { limits: options.retryLimits }),
  });
  if (options.asOf !== undefined) return asOfStore(retried, options.asOf);
  if (cache === undefined) return retried;
  const kept = directoryStore(cache.directory, options.uniqueName, { flush: 'None' });
  return cacheStore(retried, kept, cache);
}

async function openBare(address: StoreAddress, options: OpenStoreOptions): Promise<ObjectStore> {
  switch (address.kind) {
    case 'Directory':
      return directoryStore(address.path, options.uniqueName);
    case 'S3':
      return openS3(address, options);
    case 'Azure':
      return openAzure(address, options);
    case 'GoogleCloud':
      return openGoogleCloud(address, options);
    case 'Rest':
      return openRest(address, options);
    default:
      return address satisfies never;
  }
}

async function openS3(address: StoreAddress & { readonly kind: 'S3' }, options: OpenStoreOptions) {
  const { env, settings = {}, clock } = options;
  const [{ s3Client }, { s3Store }] = await Promise.all([import('./s3-client.ts'), import('./s3-store.ts')]);
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = env;
  const lookup = settings['s3.bucket-lookup'] ?? 'auto';
  const isAws = address.endpoint === undefined || /\.amazonaws\.com(\.cn)?(:\d+)?$/.test(address.endpoint);
  const [, mode, days] = /^(GOVERNANCE|COMPLIANCE):(\d+)$/.exec(settings['s3.object-lock'] ?? '') ?? [];
  const ca = await authorities(options);
  const client = s3Client({
    endpoint: address.endpoint,
    region: settings['s3.region'] ?? address.region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? 'us-east-1',
    credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey, sessionToken } : undefined,
    addressing: lookup === 'path' || (lookup === 'auto' && !isAws) ? 'Path' : 'Host',
    ca,
  });
  return s3Store({
    ...{ client, ca, bucket: address.bucket, prefix: address.prefix },
    description: renderStoreAddress(address),
    now: () => clock.now(),
    serverSideEncryption: encryptionOf(settings['s3.server-side-encryption']),
    kmsKeyId: settings['s3.kms-key-id'],
    storageClass: settings['s3.storage-class'],
    objectLock: mode === 'GOVERNANCE' || mode === 'COMPLIANCE' ? { mode, days: Number(days) } : undefined,
  });
}

async function openAzure(address: StoreAddress & { readonly kind: 'Azure' }, options: OpenStoreOptions) {
  const { env, settings, clock } = options;
  const { azureStore } = await import('./azure-store.ts');
  const { AZURE_ACCOUNT_NAME: account, AZURE_ACCOUNT_KEY: key, AZURE_ACCOUNT_SAS: signature } = env;
  const description = renderStoreAddress(address);
  const suffix = env.AZURE_ENDPOINT_SUFFIX ?? 'core.windows.net';
  const hint = 'Set AZURE_ACCOUNT_NAME, and AZURE_ACCOUNT_KEY or AZURE_ACCOUNT_SAS.';
  if (!account) throw storeRefused('no account was named', description, hint);
  if (!key && !signature) throw storeRefused('no credentials were found', description, hint);
  const store = azureStore({
    endpoint: settings?.['azure.endpoint'] ?? `https://${account}.blob.${suffix}`,
    credentials: key ? { account, key } : { signature: signature ?? '' },
    ...{ container: address.container, prefix: address.prefix, description, ca: await authorities(options) },
  });
  return silenceStore(store, clock);
}

async function openGoogleCloud(address: StoreAddress & { readonly kind: 'GoogleCloud' }, options: OpenStoreOptions) {
  if (options.caFile !== undefined) throw authoritiesUnused(renderStoreAddress(address));
  const { googleCloudStore } = await import('./google-cloud-store.ts');
  const endpoint = options.settings?.['gs.endpoint'];
  const store = googleCloudStore({
    ...{ bucket: address.bucket, prefix: address.prefix, description: renderStoreAddress(address), endpoint },
    // Credentials of Google's are for Google's servers.
    credentials: endpoint === undefined ? 'Default' : 'None',
  });
  return silenceStore(store, options.clock);
}

async function openRest(address: StoreAddress & { readonly kind: 'Rest' }, options: OpenStoreOptions) {
  const { settings = {} } = options;
  const [{ restStore }, ca] = await Promise.all([import('./rest-store.ts'), authorities(options)]);
  const pem = settings['rest.tls-client-cert'];
  return restStore({
    ...{ url: address.url, description: renderStoreAddress(address) },
    credentials: await restCredentials(options),
    tls: {
      ca,
      fingerprint: settings['rest.tls-fingerprint']?.replace(/^sha256:|:/gi, '').toLowerCase(),
      client: pem === undefined ? undefined : await readSetting('rest.tls-client-cert', pem),
    },
  });
}

/** As restic names them, or out of a file; never in the address or the arguments, which others can see. */
async function restCredentials({ env, settings }: OpenStoreOptions): Promise<RestCredentials | undefined> {
  const file = settings?.['rest.credentials-file'];
  const { RESTIC_REST_USERNAME: named = '', RESTIC_REST_PASSWORD: secret = '' } = env;
  if (file === undefined) return named === '' && secret === '' ? undefined : { username: named, password: secret };
  const [line = ''] = (await readSetting('rest.credentials-file', file)).split(/\r?\n/, 1);
  const [, username, password] = /^([^:]+):(.*)$/.exec(line) ?? [];
  if (username !== undefined && password !== undefined) return { username, password };
  throw badSettingFile('its first line is not USER:PASSWORD', file, 'rest.credentials-file');
}

async function readSetting(name: string, file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    throw badSettingFile('it cannot be read', file, name, cause);
  });
}

const badSettingFile = (what: string, file: string, setting: string, cause?: unknown) =>
  new StorkError({
    code: 'StoreSettingInvalid',
    message: `The file of the option ${setting} is of no use: ${what}`,
    about: file,
    cause,
  });

function encryptionOf(text: string | undefined): 'AES256' | 'aws:kms' | 'aws:kms:dsse' | undefined {
  return text === 'AES256' || text === 'aws:kms' || text === 'aws:kms:dsse' ? text : undefined;
}

async function authorities({ caFile }: OpenStoreOptions): Promise<string | undefined> {
  if (caFile === undefined) return undefined;
  const pem = await readFile(caFile, 'utf8').catch((cause: unknown) => {
    throw badAuthorities('it cannot be read', caFile, cause);
  });
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (!certificates.some(isCertificate)) throw badAuthorities('it holds no PEM certificate', caFile);
  return pem;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).fingerprint256 !== '';
  } catch {
    return false;
  }
}

const badAuthorities = (what: string, caFile: string, cause?: unknown) =>
  new StorkError({
    code: 'StoreAuthoritiesUnreadable',
    message: `The file of --cacert is of no use: ${what}`,
    about: caFile,
    hint: 'Name a file with one or more certificates in PEM form.',
    cause,
  });

/** Its library has no place for them; given and not used, they would be believed in. */
const authoritiesUnused = (about: string) =>
  new StorkError({
    code: 'StoreSettingInvalid',
    message: '--cacert is not used for Google Cloud',
    about,
    hint: 'Set NODE_EXTRA_CA_CERTS to that file instead: it counts for every store.',
  });

const settingsPrefix = { Directory: 'local.', S3: 's3.', Azure: 'azure.', GoogleCloud: 'gs.', Rest: 'rest.' } as const;

/** An option for another kind does nothing, and whoever gave it believes it does. */
function refuseForeignSettings({ kind }: StoreAddress, settings: StoreSettings): void {
  const foreign = Object.keys(settings).find((name) => !name.startsWith(settingsPrefix[kind]));
  if (foreign === undefined) return;
  throw new StorkError({
    code: 'StoreSettingInvalid',
    message: `A store's option is wrong: ${foreign} is for another kind of store`,
    hint: `This one takes options that begin with ${settingsPrefix[kind]}`,
  });
}
