/**
 * What the server makes of an object before it stores it: metadata that is the server's, the split between an object and
 * its status, defaults, validation, generation. Pure: the same input gives the same object or throws the same refusal.
 */
import type { AnyObject, ObjectKey, ObjectMeta } from '../client/client.ts';
import { badRequest, type FieldCause, invalid } from './api-refusals.ts';
import { at, type Fields, fieldsOf, frozenCopy, itemsOf, sameJson, without, withoutNulls } from './json-value.ts';
import type { ServedKind } from './served-kinds.ts';
import { pruned, unknownFields, violations, withDefaults } from './structural-schema.ts';

export interface Birth {
  readonly name: string;
  readonly uid: string;
  readonly creationTimestamp: string;
}

const bornWithPhase: Readonly<Record<string, string>> = {
  Namespace: 'Active',
  PersistentVolume: 'Pending',
  PersistentVolumeClaim: 'Pending',
  Pod: 'Pending',
};

/** Kinds that keep the status they are created with. */
const keepsGivenStatus: ReadonlySet<string> = new Set(['Node']);

export function admitNew(kind: ServedKind, input: Fields, namespace: string | undefined, birth: Birth): AnyObject {
  const key = { namespace, name: birth.name };
  const given = fieldsOf(input.metadata);
  const kept = without(
    protectedMetadata(kind, given),
    'managedFields',
    'resourceVersion',
    'selfLink',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  );
  const counted = kind.generation === 'Counted' ? { generation: 1 } : {};
  const { name, uid, creationTimestamp } = birth;
  const metadata = {
    ...without(kept, 'generation'),
    name,
    ...(namespace === undefined ? {} : { namespace }),
    uid,
    ...counted,
  };
  const dropsStatus = kind.status === 'Subresource' && !keepsGivenStatus.has(kind.resource.kind);
  const body = without(input, 'metadata', ...(dropsStatus ? ['status'] : []));
  const phase = kind.resource.group === '' ? bornWithPhase[kind.resource.kind] : undefined;
  const born = kind.resource.kind === 'Namespace' ? { spec: { finalizers: ['kubernetes'] } } : {};
  const status = phase === undefined ? {} : { status: { phase } };
  return admitted(kind, key, { ...body, ...born, ...status, metadata: { ...metadata, creationTimestamp } });
}

/** What the admission plugin StorageObjectInUseProtection adds. */
const protectionFinalizers: Readonly<Record<string, string>> = {
  PersistentVolume: 'kubernetes.io/pv-protection',
  PersistentVolumeClaim: 'kubernetes.io/pvc-protection',
};

function protectedMetadata(kind: ServedKind, metadata: Fields): Fields {
  const finalizer = kind.resource.group === '' ? protectionFinalizers[kind.resource.kind] : undefined;
  const given = itemsOf(metadata.finalizers);
  if (finalizer === undefined || given.includes(finalizer)) return metadata;
  return { ...metadata, finalizers: [...given, finalizer] };
}

export interface PlannedUpdate {
  readonly kind: ServedKind;
  readonly before: AnyObject;
  readonly next: Fields;
  readonly subresource: 'status' | 'scale' | undefined;
}

/** The object after an update; equal to `before` when the update changes nothing. */
export function admitUpdate({ kind, before, next, subresource }: PlannedUpdate): AnyObject {
  const key = before.metadata;
  const body = splitStatus(kind, before, next, subresource);
  const metadata = updatedMetadata(before.metadata, fieldsOf(body.metadata));
  const after = admitted(kind, key, { ...body, metadata }, before);
  refuseNewFinalizers(kind, before, after);
  if (kind.generation === 'Absent' || before.metadata.generation === undefined || !specChanged(kind, before, after)) {
    return after;
  }
  return Object.freeze({
    ...after,
    metadata: Object.freeze({ ...after.metadata, generation: before.metadata.generation + 1 }),
  });
}

/** Through `/status` only status changes; through the object everything but status. */
function splitStatus(
  kind: ServedKind,
  before: AnyObject,
  next: Fields,
  subresource: 'status' | 'scale' | undefined,
): Fields {
  if (kind.status === 'Plain') return next;
  if (subresource === 'status') return without({ ...before, status: next.status });
  return without({ ...next, status: before.status });
}

/** Fields of metadata that a client can set; the rest stay as they were. */
const clientMetadata = ['labels', 'annotations', 'finalizers', 'ownerReferences'];

function updatedMetadata(before: ObjectMeta, next: Fields): Fields {
  const given = Object.fromEntries(clientMetadata.map((name) => [name, next[name]]));
  return without({ ...without({ ...before }, ...clientMetadata), ...given });
}

function specChanged(kind: ServedKind, before: AnyObject, after: AnyObject): boolean {
  const ignored = kind.status === 'Subresource' ? ['metadata', 'status'] : ['metadata'];
  return !sameJson(without(before, ...ignored), without(after, ...ignored));
}

function refuseNewFinalizers(kind: ServedKind, before: AnyObject, after: AnyObject): void {
  if (before.metadata.deletionTimestamp === undefined) return;
  const old = new Set(before.metadata.finalizers);
  const added = (after.metadata.finalizers ?? []).filter((finalizer) => !old.has(finalizer));
  if (added.length === 0) return;
  const message = `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`;
  throw invalid(kind.resource, before.metadata, [
    { reason: 'FieldValueForbidden', field: 'metadata.finalizers', message },
  ]);
}

/** The parsed object with its schema's defaults. @throws ApiError BadRequest (unknown field) or Invalid */
function admitted(kind: ServedKind, key: ObjectKey, input: Fields, old?: AnyObject): AnyObject {
  const { group, version, kind: kindName } = kind.resource;
  const typed: Fields = { ...input, apiVersion: group === '' ? version : `${group}/${version}`, kind: kindName };
  const causes: FieldCause[] = metadataViolations(typed.metadata);
  if (kind.schema === undefined) {
    if (causes.length > 0) throw invalid(kind.resource, key, causes);
    return assertObject(frozenCopy(withoutNulls(typed)));
  }
  const filled = withDefaults(pruned(typed, kind.schema), kind.schema);
  causes.push(...violations(filled, kind.schema));
  if (causes.length === 0) causes.push(...(kind.rules?.(filled, old) ?? []));
  if (causes.length > 0) throw invalid(kind.resource, key, causes);
  return assertObject(frozenCopy(filled));
}

/** What fieldValidation=Strict refuses, before anything else happens. */
export function refuseUnknownFields(kind: ServedKind, key: ObjectKey, input: Fields): void {
  if (kind.schema === undefined) return;
  const unknown = unknownFields(input, kind.schema);
  if (unknown.length === 0) return;
  const list = unknown.map((field) => `unknown field "${field}"`).join(', ');
  const { kind: name, version } = kind.resource;
  const message = `${name} in version "${version}" cannot be handled as a ${name}: strict decoding error: ${list}`;
  throw badRequest(kind.resource, key, message);
}

const nameRule = /^[a-z0-9]([-a-z0-9.:]*[a-z0-9])?$/;
const labelValueRule = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;
const longestName = 253;
const longestLabel = 63;

function metadataViolations(metadata: unknown): FieldCause[] {
  const found: FieldCause[] = [];
  const refuse = (field: string, message: string) => found.push({ reason: 'FieldValueInvalid', field, message });
  const name = String(at(metadata, 'name'));
  if (name.length > longestName || !nameRule.test(name)) {
    refuse(
      'metadata.name',
      `Invalid value: ${JSON.stringify(name)}: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character`,
    );
  }
  for (const value of Object.values(fieldsOf(at(metadata, 'labels')))) {
    if (typeof value === 'string' && value.length <= longestLabel && labelValueRule.test(value)) continue;
    refuse(
      'metadata.labels',
      `Invalid value: ${JSON.stringify(value)}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character`,
    );
  }
  for (const finalizer of itemsOf(at(metadata, 'finalizers'))) {
    if (
      !String(finalizer).includes('/') &&
      !['foregroundDeletion', 'orphan', 'kubernetes'].includes(String(finalizer))
    ) {
      refuse(
        'metadata.finalizers',
        `Invalid value: ${JSON.stringify(finalizer)}: name is neither a standard finalizer name nor is it fully qualified`,
      );
    }
  }
  return found;
}

/** The one place where JSON becomes an object: `admitted` has set kind, apiVersion and the metadata's name. */
export function assertObject(value: unknown): AnyObject {
  if (typeof at(value, 'metadata', 'name') !== 'string' || typeof at(value, 'kind') !== 'string') {
    throw new TypeError('not an object of the API');
  }
  return value as AnyObject;
}
