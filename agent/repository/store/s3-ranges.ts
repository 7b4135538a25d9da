/**
 * Parts of S3 objects, without the SDK's layers around each: they cost a restore a third of its main thread. The SDK asks for the first part,
 * and from its request the others are made: same server, path and region, signed by its signer with the credentials that it renews. What
 * is not answered plainly is for the SDK to ask again, and to explain.
 */
import type { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { ByteRange } from './object-store.ts';
import { type PlainAnswer, type PlainHttp, plainHttp } from './plain-http.ts';
import { unavailable } from './store-error.ts';
import { isOverload, retryAfterMs } from './transport-error.ts';

export interface S3RangesOptions {
  readonly client: S3Client;
  /** As the client has it. */
  readonly ca: string | undefined;
  readonly now: () => Date;
  readonly connectWithinMs: number;
  readonly silentAtMostMs: number;
}

export interface S3Ranges {
  /**
   * Undefined when the SDK has to be asked. Throws what the socket threw, the signal's reason, `StoreUnavailable` of a server that can't
   * answer now.
   */
  get(name: string, range: ByteRange, signal: AbortSignal | undefined): Promise<Buffer | undefined>;
  /** Learns from a command that is about to be sent how such requests look. */
  learnFrom(command: GetObjectCommand, name: string): void;
}

/** All but the object's name. */
interface Shape {
  readonly protocol: string;
  readonly hostname: string;
  readonly port: number | undefined;
  readonly host: string;
  readonly stem: string;
  readonly region: string;
}

/** Of no body. */
const payloadHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
/** Answers in a row that were of no use: then the SDK asks alone. */
const uselessAtMost = 3;

export function s3Ranges({ client, ca, now, ...patience }: S3RangesOptions): S3Ranges {
  let known: { readonly shape: Shape; readonly http: PlainHttp } | undefined;
  let useless = 0;
  const learn = (shape: Shape | undefined) => {
    if (known !== undefined || shape === undefined) return;
    const { protocol, hostname, port = protocol === 'https:' ? 443 : 80 } = shape;
    // Of IPv6, as URLs have it.
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    known = { shape, http: plainHttp({ host, port, tls: protocol === 'https:' ? { ca } : undefined, ...patience }) };
  };
  const signed = async ({ protocol, hostname, port, host, stem, region }: Shape, name: string, range: ByteRange) => {
    const signer = await client.config.signer({
      ...{ schemeId: 'aws.auth#sigv4', signingName: 's3', signingRegion: region, properties: {} },
      name: 'sigv4',
    });
    const request = {
      ...{ method: 'GET', protocol, hostname, path: stem + name, query: {} },
      ...(port === undefined ? {} : { port }),
      headers: {
        ...{ host, 'x-amz-content-sha256': payloadHash },
        range: `bytes=${range.offset}-${range.offset + range.length - 1}`,
      },
    };
    const signingDate = new Date(now().getTime() + client.config.systemClockOffset);
    return (await signer.sign(request, { signingDate, signingRegion: region, signingService: 's3' })).headers;
  };
  return {
    async get(name, range, signal) {
      if (known === undefined || useless >= uselessAtMost) return undefined;
      const { shape, http } = known;
      const headers = await signed(shape, name, range);
      const answer = await http.get({ path: shape.stem + name, headers, wantedBytes: range.length }, signal);
      if (answer !== undefined) failWhenOverloaded(answer, name);
      useless = answer?.body === undefined ? useless + 1 : 0;
      return answer?.body;
    },
    learnFrom(command, name) {
      if (known !== undefined) return;
      command.middlewareStack.add(
        (next) => async (args) => {
          const answer = await next(args);
          learn(shapeOf(args.request, name));
          return answer;
        },
        { step: 'finalizeRequest', priority: 'low', name: 'learnShape' },
      );
    },
  };
}

function failWhenOverloaded({ status, headers }: PlainAnswer, name: string): void {
  if (status < 500 && status !== 429) return;
  throw unavailable(`it answers ${status}`, name, {
    retryAfterMs: retryAfterMs(headers.get('retry-after')),
    isOverloaded: isOverload(status),
  });
}

/** Of a signed request of the SDK; undefined when there is more in it than a range of an object. */
function shapeOf(request: unknown, name: string): Shape | undefined {
  if (!isSdkRequest(request)) return undefined;
  const { protocol, hostname, port, path, headers } = request;
  const { host, authorization = '' } = headers;
  const [, region] =
    /^AWS4-HMAC-SHA256 Credential=[^/,]+\/\d{8}\/([^/,]+)\/s3\/aws4_request,/.exec(authorization) ?? [];
  if (host === undefined || region === undefined || !path.endsWith(`/${name}`)) return undefined;
  if (protocol !== 'http:' && protocol !== 'https:') return undefined;
  return { protocol, hostname, port, host, stem: path.slice(0, -name.length), region };
}

interface SdkRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

const isSdkRequest = (request: unknown): request is SdkRequest =>
  typeof request === 'object' &&
  request !== null &&
  'hostname' in request &&
  'path' in request &&
  typeof request.path === 'string' &&
  'headers' in request &&
  typeof request.headers === 'object';
