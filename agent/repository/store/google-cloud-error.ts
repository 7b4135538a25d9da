/** What Google Cloud Storage and the way to it answer, as StoreErrors. */
import { StoreError, storeRefused, unavailable } from './store-error.ts';
import { isOverload, isTlsRefusal, tlsRefused } from './transport-error.ts';

/** Of the library's error; undefined when no server answered. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const code: unknown = 'code' in error ? error.code : undefined;
  if (typeof code === 'number') return code;
  return 'status' in error && typeof error.status === 'number' ? error.status : undefined;
}

/** Its library has no place for authorities of ours. */
const trustHint =
  'Set NODE_EXTRA_CA_CERTS to the file of the authority that signed its certificate, or correct the address.';

export interface GoogleCloudAsked {
  readonly about: string;
  readonly signal: AbortSignal | undefined;
}

const rightsHint =
  'It needs storage.objects.create, .get, .list and .delete on the bucket: the role Storage Object Admin has them.';
const credentialsHint =
  'Set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account, or run where a role gives credentials.';

/** The error to throw: the caller's reason when it was aborted, else a StoreError. */
export function explainGoogleCloudError(error: unknown, { about, signal }: GoogleCloudAsked): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof StoreError || !(error instanceof Error)) return error;
  const status = statusOf(error);
  const what = `${status === undefined ? '' : `${status}: `}${error.message.split('\n', 1)[0]}`;
  if (isTlsRefusal(error)) return tlsRefused(error, about, trustHint);
  // The library's own words; nothing else tells a machine without credentials from one without a network.
  if (status === undefined && /Could not load the default credentials/.test(error.message))
    return storeRefused('no credentials were found', about, credentialsHint, error);
  if (status === 401 || status === 403) return storeRefused(what, about, rightsHint, error);
  if (status !== undefined && status >= 400 && status < 500 && ![408, 409, 429].includes(status))
    return status === 400 && /md5|hash|checksum/i.test(error.message)
      ? unavailable(what, about, { cause: error })
      : storeRefused(what, about, 'Check address and options.', error);
  return unavailable(what, about, { cause: error, isOverloaded: isOverload(status) });
}
