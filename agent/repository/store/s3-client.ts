/** The SDK's client, with our transport: own authorities, sockets that are kept, no retries, and nothing hashed twice. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';

export interface S3ClientOptions {
  /** Undefined: AWS' own, by region. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  /** Undefined: what the SDK finds in environment, files, or the role of the pod or machine; renewed by it. */
  readonly credentials: S3Credentials | undefined;
  /** The bucket in the path (`HOST/BUCKET/KEY`), not in the host's name. */
  readonly addressing: 'Path' | 'Host';
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca: string | undefined;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

const socketsAtMost = 64;
/** How long a server is waited for. */
export const s3Patience = {
  connectWithinMs: 10_000,
  /** Without a byte in either direction. */
  silentAtMostMs: 60_000,
} as const;
/** Servers other than AWS mostly ignore it, but a signature needs one. */
const regionOfNoImportance = 'us-east-1';

export function s3Client({ endpoint, region, credentials, addressing, ca }: S3ClientOptions): S3Client {
  const sockets = { keepAlive: true, maxSockets: socketsAtMost };
  const client = new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, region: region ?? regionOfNoImportance }),
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials: credentialsOf(credentials) }),
    forcePathStyle: addressing === 'Path',
    followRegionRedirects: endpoint === undefined,
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      httpAgent: new HttpAgent(sockets),
      httpsAgent: new HttpsAgent({ ...sockets, ...(ca === undefined ? {} : { ca }) }),
      connectionTimeout: s3Patience.connectWithinMs,
      socketTimeout: s3Patience.silentAtMostMs,
    },
  });
  signKnownHashes(client);
  return client;
}

const credentialsOf = ({ accessKeyId, secretAccessKey, sessionToken }: S3Credentials) => ({
  ...{ accessKeyId, secretAccessKey },
  ...(sessionToken === undefined ? {} : { sessionToken }),
});

/** A body whose SHA-256 is sent as its checksum is signed with it, so that the SDK doesn't hash the bytes once more. */
function signKnownHashes(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      if (hasHeaders(args.request)) {
        const { headers } = args.request;
        const checksum = headers['x-amz-checksum-sha256'];
        if (checksum !== undefined) headers['x-amz-content-sha256'] = Buffer.from(checksum, 'base64').toString('hex');
      }
      return next(args);
    },
    { step: 'build', name: 'signKnownHashes' },
  );
}

const hasHeaders = (request: unknown): request is { readonly headers: Record<string, string | undefined> } =>
  typeof request === 'object' && request !== null && 'headers' in request && typeof request.headers === 'object';
