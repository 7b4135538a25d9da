/** What Azure Blob Storage and the way to it answer, as StoreErrors. */
import { errnoOf } from '../../mover/mover-error.ts';
import { StoreError, storeFull, storeMissing, storeRefused, unavailable } from './store-error.ts';
import { isOverload, isTlsRefusal, retryAfterMs, tlsRefused } from './transport-error.ts';

export interface AzureFailure {
  readonly code: string;
  readonly status: number | undefined;
  readonly retryAfter: string | undefined;
}

/** Reads what the SDK throws. */
export function azureErrorOf(error: unknown): AzureFailure {
  if (!(error instanceof Error)) return { code: '', status: undefined, retryAfter: undefined };
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : undefined;
  const headers = headersOf(error);
  const code = headers?.get('x-ms-error-code') ?? ('code' in error && typeof error.code === 'string' ? error.code : '');
  return { code, status, retryAfter: headers?.get('retry-after') };
}

interface Headers {
  get(name: string): string | undefined;
}

function headersOf(error: Error): Headers | undefined {
  if (!('response' in error) || typeof error.response !== 'object' || error.response === null) return undefined;
  return 'headers' in error.response && hasGet(error.response.headers) ? error.response.headers : undefined;
}

const hasGet = (headers: unknown): headers is Headers =>
  typeof headers === 'object' && headers !== null && 'get' in headers && typeof headers.get === 'function';

export interface AzureAsked {
  readonly about: string;
  readonly container: string;
  readonly signal: AbortSignal | undefined;
}

const rightsHint =
  'It needs to read, create, delete and list blobs of the container: the role Storage Blob Data Contributor, or a signature with rcdl.';

export function explainAzureError(error: unknown, { about, container, signal }: AzureAsked): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof StoreError || !(error instanceof Error)) return error;
  const { code, status, retryAfter } = azureErrorOf(error);
  const what = `${code}${status === undefined ? '' : ` (${status})`}: ${error.message.split('\n', 1)[0]}`;
  const again = () =>
    unavailable(what, about, {
      cause: error,
      retryAfterMs: retryAfterMs(retryAfter),
      isOverloaded: isOverload(status),
    });
  if (code === 'ContainerNotFound') return storeMissing(`container ${container}`, error);
  if (code === 'Md5Mismatch') return again();
  if (code === 'InsufficientAccountPermissions' || status === 401 || status === 403)
    return storeRefused(what, about, rightsHint, error);
  if (isTlsRefusal(error)) return tlsRefused(error, about);
  if (status === 507 || errnoOf(error) === 'ENOSPC') return storeFull(about, error);
  if (code === 'BlobImmutableDueToPolicy' || code === 'SnapshotsPresent')
    return storeRefused(what, about, 'The container keeps it: a policy or a snapshot that others made.', error);
  if (status !== undefined && status >= 400 && status < 500 && ![408, 409, 429].includes(status))
    return storeRefused(what, about, 'Check address and options.', error);
  return again();
}
