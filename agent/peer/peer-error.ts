/**
 * Errors across the pair: a StorkError keeps its code, message, about, hint and whether trying again helps; everything else
 * is told as `InternalError`, because its text may hold what is not the peer's business. Pure.
 */
import { boolean, object, parse, required, SchemaError, string } from '../../crds/schema/index.ts';
import { ApiError, StorkError } from '../../kube/errors.ts';

const text = () => string({ maxLength: 4096 });

const errorSchema = object({
  error: required(
    object({
      code: required(string({ maxLength: 64, pattern: '^[A-Za-z][A-Za-z0-9]*$' })),
      message: required(text()),
      about: text(),
      hint: text(),
      retryable: boolean({ default: false }),
    }),
  ),
});

export interface PeerErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly about: string | undefined;
    readonly hint: string | undefined;
    readonly retryable: boolean;
  };
}

export function renderPeerError(error: unknown): { readonly status: number; readonly body: PeerErrorBody } {
  const told =
    error instanceof SchemaError ? asInvalidMessage(error) : error instanceof StorkError ? error : internal();
  const { code, message, about, hint, retryable } = told;
  const body = {
    error: { code, message: cut(message), about: cutMaybe(about), hint: cutMaybe(hint), retryable },
  };
  return { status: statusOf(told), body };
}

/** The peer's error as one of ours. */
export function parsePeerError(status: number, body: unknown): StorkError {
  try {
    return new StorkError(parse(errorSchema, body).error);
  } catch (cause) {
    return new StorkError({
      code: 'InvalidPeerMessage',
      message: `The peer answered ${status} with something we don't understand`,
      retryable: status >= 500,
      cause,
    });
  }
}

const statusByCode: Readonly<Record<string, number>> = {
  UnknownRoute: 404,
  MessageTooLarge: 413,
  InvalidPeerMessage: 400,
  InternalError: 500,
};

function statusOf(error: StorkError): number {
  if (error instanceof ApiError && error.status.code >= 400 && error.status.code <= 599) return error.status.code;
  return statusByCode[error.code] ?? (error.retryable ? 503 : 409);
}

function asInvalidMessage(error: SchemaError): StorkError {
  return new StorkError({ code: 'InvalidPeerMessage', message: error.message, about: error.path });
}

function internal(): StorkError {
  return new StorkError({
    code: 'InternalError',
    message: "The peer's agent failed unexpectedly",
    hint: "Look into the log of the peer's agent.",
    retryable: true,
  });
}

const cut = (given: string) => (given.length <= 4096 ? given : `${given.slice(0, 4095)}…`);
const cutMaybe = (given: string | undefined) => (given === undefined ? undefined : cut(given));
