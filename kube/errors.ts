/**
 * Errors a person reads at night: a stable code, what happened, to which object, and what to do next.
 * Anything that crosses a module's public boundary is a StorkError; callers branch on `code`, never on `message`.
 */
export interface StorkErrorFields {
  /** Stable CamelCase identifier; equals the condition reason and the anchor in docs/errors.md. */
  readonly code: string;
  /** What happened, one sentence, no secret in it. */
  readonly message: string;
  /** The object, field or path concerned, e.g. `migration default/m1` or `spec.clusterPair`. */
  readonly about?: string | undefined;
  /** What the reader should do next, one sentence. */
  readonly hint?: string | undefined;
  /** Whether trying again later can help without anybody changing anything. */
  readonly retryable?: boolean | undefined;
  readonly cause?: unknown;
}

export class StorkError extends Error {
  override readonly name: string = 'StorkError';
  readonly code: string;
  readonly about: string | undefined;
  readonly hint: string | undefined;
  readonly retryable: boolean;

  constructor(fields: StorkErrorFields) {
    super(fields.message, fields.cause === undefined ? {} : { cause: fields.cause });
    this.code = fields.code;
    this.about = fields.about;
    this.hint = fields.hint;
    this.retryable = fields.retryable ?? false;
  }
}

/** Renders an error for a person: `code: message (about). hint`, then the chain of causes, one line each. */
export function renderError(error: unknown): string {
  if (!(error instanceof StorkError)) return error instanceof Error ? error.message : String(error);
  const about = error.about === undefined || error.message.includes(error.about) ? '' : ` (${error.about})`;
  const hint = error.hint === undefined ? '' : `\n  ${error.hint}`;
  const cause = error.cause === undefined ? '' : `\n  caused by: ${renderError(error.cause).replaceAll('\n', '\n  ')}`;
  return `${error.message}${about}${hint}${cause}`;
}

/** Kubernetes' metav1.Status as far as we read it. */
export interface ApiStatus {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly details?:
    | {
        readonly name?: string;
        readonly kind?: string;
        readonly group?: string;
        readonly retryAfterSeconds?: number;
        readonly causes?: readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[];
      }
    | undefined;
}

/** An answer of an API server other than 2xx, with its metav1.Status. `code` is the Status' reason, e.g. `NotFound`. */
export class ApiError extends StorkError {
  override readonly name = 'ApiError';
  readonly status: ApiStatus;

  constructor(status: ApiStatus, about: string, cause?: unknown) {
    const retryable = status.code === 429 || status.code >= 500;
    super({ code: status.reason || `Http${status.code}`, message: status.message, about, retryable, cause });
    this.status = status;
  }
}

const is =
  (reason: string) =>
  (error: unknown): error is ApiError =>
    error instanceof ApiError && error.code === reason;

export const isNotFound = is('NotFound');
export const isConflict = is('Conflict');
export const isAlreadyExists = is('AlreadyExists');
export const isForbidden = is('Forbidden');
export const isInvalid = is('Invalid');
/** 410: a watch's resourceVersion or a list's continue token is too old. */
export const isGone = (error: unknown): error is ApiError => error instanceof ApiError && error.status.code === 410;

/**
 * Admission is fail-closed and the webhook of this name gave no answer: nothing was stored. API servers have no code for it,
 * only a 500 whose text begins with the webhook's name, in details.causes too; a webhook that answers with no has another.
 */
export const isWebhookUnanswered = (error: unknown, webhook: string): error is ApiError =>
  error instanceof ApiError &&
  error.status.code === 500 &&
  error.status.message.includes(`failed calling webhook "${webhook}"`);
