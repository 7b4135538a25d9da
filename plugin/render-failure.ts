/** What a person reads when a command fails, in kubectl's words. Pure. */
import { SchemaError } from '../crds/schema/index.ts';
import { ApiError, isNotFound, renderError, StorkError } from '../kube/errors.ts';

export function renderFailure(error: unknown): string {
  // A 404 that names no object: the kind itself isn't served.
  if (isNotFound(error) && error.status.details?.name === undefined) {
    return `error: the server doesn't have the kind of ${error.about ?? 'that'}\n  Is the agent installed? kubectl stork install`;
  }
  if (error instanceof ApiError) return `Error from server (${error.code}): ${error.message}`;
  if (error instanceof SchemaError) return `error: ${error.message}`;
  if (error instanceof StorkError && error.code === 'BadUsage')
    return `error: ${error.message}\n${error.hint ?? ''}`.trimEnd();
  return `error: ${renderError(error)}`;
}
