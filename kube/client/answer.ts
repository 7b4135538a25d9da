/** What came back: bodies read within a cap, refusals as ApiError, failures of the connection as StorkError. */
import type { IncomingMessage } from 'node:http';
import { integer, list, object, parse, string } from '../../crds/schema/index.ts';
import { ApiError, type ApiStatus, StorkError } from '../errors.ts';

/** @throws StorkError AnswerTooLarge past `maxBytes` */
export async function readText(response: IncomingMessage, maxBytes: number, about: string): Promise<string> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of response) {
    const bytes = assertBuffer(piece);
    sizeBytes += bytes.length;
    if (sizeBytes > maxBytes) {
      const message = `The API server's answer is longer than ${maxBytes} bytes.`;
      throw new StorkError({ code: 'AnswerTooLarge', message, about });
    }
    pieces.push(bytes);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** Without setEncoding, a response's pieces are buffers. */
export function assertBuffer(piece: unknown): Buffer {
  if (Buffer.isBuffer(piece)) return piece;
  throw new TypeError('a response yielded something else than bytes');
}

const statusSchema = object({
  code: integer(),
  reason: string(),
  message: string(),
  details: object({
    name: string(),
    kind: string(),
    group: string(),
    retryAfterSeconds: integer(),
    causes: list(object({ reason: string(), message: string(), field: string() })),
  }),
});

/** A refusal's longest message that we keep: it may end up in a condition. */
const maxMessageLength = 8_192;

export function apiErrorOf(httpStatus: number, body: unknown, about: string): ApiError {
  return new ApiError(parseStatus(httpStatus, body), about);
}

/** A metav1.Status, or what the bare HTTP status says. */
export function parseStatus(httpStatus: number, body: unknown): ApiStatus {
  try {
    const parsed = parse(statusSchema, typeof body === 'string' ? JSON.parse(body) : body);
    const code = parsed.code ?? httpStatus;
    const message = parsed.message ?? `the server answered ${httpStatus}`;
    const reason = parsed.reason ?? reasonOf(code);
    return { code, reason, message: message.slice(0, maxMessageLength), details: withoutAbsent(parsed.details) };
  } catch {
    const text = typeof body === 'string' ? body.trim().slice(0, 500) : '';
    const message = `the server answered ${httpStatus}${text === '' ? '' : `: ${text}`}`;
    return { code: httpStatus, reason: reasonOf(httpStatus), message };
  }
}

type Details = NonNullable<ApiStatus['details']>;

function withoutAbsent(details: object | undefined): Details | undefined {
  return details === undefined ? undefined : JSON.parse(JSON.stringify(details));
}

const reasons: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

const reasonOf = (code: number) => reasons[code] ?? `Http${code}`;

const certificateErrors: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Node adds what somebody who runs Node could do; nobody runs it here. */
const withoutAdvice = (error: Error): Error =>
  new Error(error.message.replace(/; if the root CA is installed locally.*$/s, ''), { cause: error });

/** Why no answer came. StorkErrors (a proxy's, a cap's, a watchdog's) pass as they are. */
export function connectionFailure(error: unknown, server: string): StorkError {
  if (error instanceof StorkError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (certificateErrors.has(code)) {
    return new StorkError({
      code: 'ApiServerUntrusted',
      message: `The API server ${server} showed a certificate that can't be trusted.`,
      about: server,
      hint: 'Check certificate-authority and the server name in the kubeconfig.',
      cause: error instanceof Error ? withoutAdvice(error) : error,
    });
  }
  return new StorkError({
    code: 'ApiServerUnreachable',
    message: `The API server ${server} can't be reached.`,
    about: server,
    hint: 'Check that it runs and that the address in the kubeconfig is right.',
    retryable: true,
    cause: error,
  });
}
