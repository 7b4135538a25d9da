/** What a write must not contradict: the live object's identity and version, its namespace, its schema. */
import type { AnyObject, DeleteOptions, ObjectKey } from '../client/client.ts';
import * as refusals from './api-refusals.ts';
import { repeatedItems } from './field-set.ts';
import type { Fields } from './json-value.ts';
import type { ObjectStore } from './object-store.ts';
import type { ServedKind } from './served-kinds.ts';
import { unknownFields } from './structural-schema.ts';

export function refuseLostNamespace(store: ObjectStore, kind: ServedKind, key: ObjectKey): void {
  if (!kind.resource.namespaced) return;
  const namespaces = { group: '', plural: 'namespaces', kind: 'Namespace' };
  const name = key.namespace ?? '';
  const namespace = store.find('/namespaces', { name })?.object;
  if (namespace === undefined) throw refusals.notFound(namespaces, { name });
  if (namespace.metadata.deletionTimestamp === undefined) return;
  const message = `unable to create new content in namespace ${name} because it is being terminated`;
  throw refusals.forbidden(kind.resource, key, message);
}

/** A given uid or resourceVersion must be the live object's. */
export function refuseOtherThan(kind: ServedKind, live: AnyObject, given: Fields): void {
  const { uid, resourceVersion } = given;
  if (uid !== undefined && uid !== live.metadata.uid) {
    const message = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`;
    throw refusals.conflict(kind.resource, live.metadata, message);
  }
  if (resourceVersion !== undefined && resourceVersion !== live.metadata.resourceVersion) {
    throw refusals.changedMeanwhile(kind.resource, live.metadata);
  }
}

/** As {@link refuseOtherThan}, for apply, which may create: it then ignores the resourceVersion. */
export function refuseOtherApplied(kind: ServedKind, live: AnyObject | undefined, given: Fields, key: ObjectKey): void {
  const { uid } = given;
  if (live === undefined) {
    if (uid === undefined) return;
    const message = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
    throw refusals.conflict(kind.resource, key, message);
  }
  if (uid !== undefined && uid !== live.metadata.uid) {
    const message = `Invalid value: ${JSON.stringify(uid)}: field is immutable`;
    throw refusals.invalid(kind.resource, key, [{ reason: 'FieldValueInvalid', field: 'metadata.uid', message }]);
  }
  refuseOtherThan(kind, live, given);
}

/** What structured-merge-diff can't type: fields outside the schema, and the same key twice in a list. */
export function refuseUntypable(kind: ServedKind, key: ObjectKey, body: Fields): void {
  const undeclared = unknownFields(body, kind.schema).map((field) => `.${field}: field not declared in schema`);
  const [first] = [...undeclared, ...repeatedItems(body, kind.shape)];
  if (first === undefined) return;
  const object = `${key.namespace === undefined ? '' : `${key.namespace}/`}${key.name}`;
  const typed = `${object}; ${body.apiVersion}, Kind=${kind.resource.kind}`;
  throw refusals.internalError(kind.resource, key, `failed to create typed patch object (${typed}): ${first}`);
}

export function refusePreconditions(kind: ServedKind, live: AnyObject, { uid, resourceVersion }: DeleteOptions): void {
  if (uid !== undefined && uid !== live.metadata.uid) {
    const message = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`;
    throw refusals.conflict(kind.resource, live.metadata, message);
  }
  if (resourceVersion === undefined || resourceVersion === live.metadata.resourceVersion) return;
  const message = `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${live.metadata.resourceVersion}`;
  throw refusals.conflict(kind.resource, live.metadata, message);
}
