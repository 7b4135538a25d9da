/** What S3 servers and the way to them answer, as StoreErrors. */
import { errnoOf } from '../../mover/mover-error.ts';
import { StoreError, storeFull, storeMissing, storeRefused, unavailable } from './store-error.ts';
import { isOverload, isTlsRefusal, retryAfterMs, tlsRefused } from './transport-error.ts';

export interface S3Failure {
  /** S3's code, e.g. `NoSuchKey`. */
  readonly name: string;
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** Reads what the SDK throws. */
export function s3ErrorOf(error: unknown): S3Failure {
  if (!(error instanceof Error)) return { name: '', status: undefined, headers: {} };
  const metadata: unknown = '$metadata' in error ? error.$metadata : undefined;
  const response: unknown = '$response' in error ? error.$response : undefined;
  const status = fieldOf(metadata, 'httpStatusCode') ?? fieldOf(response, 'statusCode');
  const headers = fieldOf(response, 'headers');
  return {
    name: error.name,
    status: typeof status === 'number' ? status : undefined,
    headers: isRecord(headers) ? headers : {},
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const fieldOf = (value: unknown, field: string): unknown => (isRecord(value) ? value[field] : undefined);

/** The object was there already. */
export const isPrecondition = (error: unknown): boolean => s3ErrorOf(error).status === 412;

const expiring = [
  'ExpiredToken',
  'ExpiredTokenException',
  'TokenRefreshRequired',
  'RequestTimeTooSkewed',
  'RequestExpired',
];
const damaged = [
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  'InvalidDigest',
  'IncompleteBody',
  'XAmzContentChecksumMismatch',
];
const full = ['QuotaExceeded', 'XMinioStorageFull', 'EntityTooLarge', 'InsufficientCapacity', 'StorageFull'];
const elsewhere = ['PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException'];
const unknownKeys = ['InvalidAccessKeyId', 'SignatureDoesNotMatch'];

const keysHint =
  'The server does not know the access key, or the secret is not its own: look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or the profile).';
const rightsHint =
  'It needs s3:ListBucket on the bucket and s3:GetObject, s3:PutObject, s3:DeleteObject on its objects (docs/repository.md has the policy; docs/repository-care.md what locks and versions need).';

export interface Asked {
  /** Object, prefix or bucket. */
  readonly about: string;
  readonly bucket: string;
  readonly signal: AbortSignal | undefined;
}

/** The error to throw: the caller's reason when it was aborted, else a StoreError. */
export function explainS3Error(error: unknown, { about, bucket, signal }: Asked): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof StoreError || !(error instanceof Error)) return error;
  const { name, status, headers } = s3ErrorOf(error);
  const what = `${name}${status === undefined ? '' : ` (${status})`}: ${error.message}`;
  const again = () =>
    unavailable(what, about, {
      cause: error,
      retryAfterMs: retryAfterMs(headers['retry-after']),
      isOverloaded: isOverload(status),
    });
  if (name === 'NoSuchBucket') return storeMissing(`bucket ${bucket}`, error);
  if (name === 'NoSuchKey' || name === 'NoSuchVersion')
    return new StoreError({ code: 'ObjectMissing', message: 'An object is missing', about, cause: error });
  if (damaged.includes(name) || expiring.includes(name)) return again();
  if (full.includes(name) || status === 507 || errnoOf(error) === 'ENOSPC') return storeFull(about, error);
  if (/Credential|TokenProviderError/.test(name) && status === undefined)
    return storeRefused(
      'no credentials were found',
      about,
      'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with a credentials file, or run where a role gives them.',
      error,
    );
  if (isTlsRefusal(error)) return tlsRefused(error, about);
  if (elsewhere.includes(name) || status === 301)
    return storeRefused(
      what,
      about,
      'The bucket lies in another region: set AWS_REGION or the option s3.region.',
      error,
    );
  if (unknownKeys.includes(name)) return storeRefused(what, about, keysHint, error);
  if (status === 401 || status === 403) return storeRefused(what, about, rightsHint, error);
  if (status !== undefined && status >= 400 && status < 500 && ![408, 409, 425, 429].includes(status))
    return storeRefused(what, about, 'Check address and options.', error);
  return again();
}

const lockHint = [
  'Object lock comes with a bucket that is made with it: `aws s3api create-bucket --bucket NAME --object-lock-enabled-for-bucket`.',
  'AWS and some other servers can switch it on later, for a bucket that is versioned: `aws s3api put-object-lock-configuration`.',
  'To do without it leave out -o s3.object-lock; a repository that remembers it forgets it by `repo set -o s3.object-lock=none`.',
].join(' ');

/** As `explainS3Error`, of a request that has to do with object lock: most servers have no code of their own for a bucket without. */
export function explainLockError(error: unknown, asked: Asked): unknown {
  const { name, status } = s3ErrorOf(error);
  const isWithoutLock =
    name === 'ObjectLockConfigurationNotFoundError' || (name === 'InvalidRequest' && status === 400);
  if (!isWithoutLock || asked.signal?.aborted) return explainS3Error(error, asked);
  return storeRefused(`the bucket ${asked.bucket} has no object lock`, asked.about, lockHint, error);
}
