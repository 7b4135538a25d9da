/** What a person reads when a command fails, in kubectl's words. Pure. */
import { SchemaError } from '../crds/schema/index.ts';
import { ApiError, renderError, StorkError } from '../kube/errors.ts';

export function renderFailure(error: unknown): string {
  if (error instanceof ApiError) return `Error from server (${error.code}): ${error.message}`;
  if (error instanceof SchemaError) return `error: ${error.message}`;
  if (error instanceof StorkError && error.code === 'BadUsage')
    return `error: ${error.message}\n${error.hint ?? ''}`.trimEnd();
  return `error: ${renderError(error)}`;
}
