/** The refusals of an API server, worded and numbered as the real one does. */
import type { ObjectKey } from '../client/client.ts';
import { ApiError, type ApiStatus } from '../errors.ts';

/** What a refusal says it is about. */
export interface RefusedKind {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
}

export interface FieldCause {
  readonly reason: string;
  readonly field: string;
  readonly message: string;
}

const qualified = (resource: RefusedKind) =>
  resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
const about = (resource: RefusedKind, key: ObjectKey) =>
  `${qualified(resource)} ${key.namespace === undefined ? '' : `${key.namespace}/`}${key.name}`;

function refusal(
  resource: RefusedKind,
  key: ObjectKey,
  status: Omit<ApiStatus, 'details'>,
  more?: ApiStatus['details'],
) {
  const details = { name: key.name, group: resource.group, kind: resource.plural, ...more };
  return new ApiError({ ...status, details }, about(resource, key));
}

const named = (resource: RefusedKind, key: ObjectKey) => `${qualified(resource)} "${key.name}"`;

export const notFound = (resource: RefusedKind, key: ObjectKey) =>
  refusal(resource, key, { code: 404, reason: 'NotFound', message: `${named(resource, key)} not found` });

/** The resource itself isn't served. */
export const noSuchResource = (resource: RefusedKind) =>
  new ApiError(
    { code: 404, reason: 'NotFound', message: 'the server could not find the requested resource' },
    qualified(resource),
  );

export const alreadyExists = (resource: RefusedKind, key: ObjectKey) =>
  refusal(resource, key, { code: 409, reason: 'AlreadyExists', message: `${named(resource, key)} already exists` });

export const changedMeanwhile = (resource: RefusedKind, key: ObjectKey) =>
  conflict(
    resource,
    key,
    'the object has been modified; please apply your changes to the latest version and try again',
  );

export const conflict = (resource: RefusedKind, key: ObjectKey, message: string) =>
  refusal(resource, key, {
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${named(resource, key)}: ${message}`,
  });

/** Server-side apply met fields of other managers. */
export function fieldManagerConflict(resource: RefusedKind, key: ObjectKey, causes: readonly FieldCause[]) {
  const many = causes.length === 1 ? '1 conflict' : `${causes.length} conflicts`;
  const list = causes.map((cause) => `${cause.message}: ${cause.field}`).join('\n');
  const message = `Apply failed with ${many}: ${list}`;
  return new ApiError({ code: 409, reason: 'Conflict', message, details: { causes } }, about(resource, key));
}

export function invalid(resource: RefusedKind, key: ObjectKey, causes: readonly FieldCause[]) {
  const kind = resource.group === '' ? resource.kind : `${resource.kind}.${resource.group}`;
  const list = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const text = list.length === 1 ? list.join() : `[${list.join(', ')}]`;
  const message = `${kind} "${key.name}" is invalid: ${text}`;
  return refusal(resource, key, { code: 422, reason: 'Invalid', message }, { kind: resource.kind, causes });
}

export const badRequest = (resource: RefusedKind, key: ObjectKey, message: string) =>
  new ApiError({ code: 400, reason: 'BadRequest', message }, about(resource, key));

/** Some wrong requests are the server's fault in its own eyes. */
export const internalError = (resource: RefusedKind, key: ObjectKey, message: string) =>
  new ApiError({ code: 500, reason: 'InternalError', message }, about(resource, key));

export const forbidden = (resource: RefusedKind, key: ObjectKey, message: string) =>
  refusal(resource, key, {
    code: 403,
    reason: 'Forbidden',
    message: `${named(resource, key)} is forbidden: ${message}`,
  });

export const unsupportedPatch = (resource: RefusedKind, key: ObjectKey) =>
  new ApiError(
    {
      code: 415,
      reason: 'UnsupportedMediaType',
      message:
        'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
    },
    about(resource, key),
  );

export const methodNotAllowed = (resource: RefusedKind) =>
  new ApiError(
    {
      code: 405,
      reason: 'MethodNotAllowed',
      message: 'the server does not allow this method on the requested resource',
    },
    qualified(resource),
  );

export const resourceExpired = (resource: RefusedKind, resourceVersion: string) =>
  new ApiError(
    { code: 410, reason: 'Expired', message: `too old resource version: ${resourceVersion}` },
    qualified(resource),
  );
