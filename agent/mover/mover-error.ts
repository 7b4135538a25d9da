/** How the mover's modules fail: a StorkError with a stable code, and whether another attempt can help. */
import { StorkError } from '../../kube/errors.ts';

/** Throws; `code` becomes the result's code. Not retryable. */
export function fail(code: string, message: string, about?: string): never {
  throw new StorkError({ code, message, about });
}

/** Throws; another attempt may succeed without anybody changing anything. */
export function failForNow(code: string, message: string, cause?: unknown): never {
  throw new StorkError({ code, message, retryable: true, cause });
}

/** The errno name of a failed system call, of node:fs or ours; undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
