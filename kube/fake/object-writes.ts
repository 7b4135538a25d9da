/**
 * Creating, updating, applying and deleting objects in the store, with the refusals and side effects of the real server
 * and of the controllers that no cluster is without: garbage collection and namespace deletion.
 */
import type { AnyObject, ApplyOptions, DeleteOptions, ObjectKey, Patch, WriteOptions } from '../client/client.ts';
import { admitNew, admitUpdate, refuseUnknownFields } from './admission.ts';
import * as refusals from './api-refusals.ts';
import type { Collector } from './collector.ts';
import { planApply, planUpdate } from './field-managers.ts';
import { at, type Fields, fieldsOf, frozenCopy, sameJson, without, withoutNulls } from './json-value.ts';
import type { ObjectStore, StoredObject } from './object-store.ts';
import { InapplicablePatch, patched } from './patches.ts';
import {
  refuseLostNamespace,
  refuseOtherApplied,
  refuseOtherThan,
  refusePreconditions,
  refuseUntypable,
} from './preconditions.ts';
import { collectionOf, type ServedKind } from './served-kinds.ts';

export interface WritesEnvironment {
  readonly store: ObjectStore;
  readonly collector: Collector;
  /** Seconds precision, as metav1.Time. */
  now(): string;
  newUid(): string;
  /** Five characters for generateName. */
  newSuffix(): string;
}

export interface ObjectWrites {
  create(kind: ServedKind, input: unknown, options: WriteOptions): AnyObject;
  replace(kind: ServedKind, input: unknown, options: WriteOptions): AnyObject;
  apply(kind: ServedKind, input: unknown, options: ApplyOptions): AnyObject;
  patch(kind: ServedKind, key: ObjectKey, patch: Patch, options: WriteOptions): AnyObject;
  /** The object as given with the metadata every stored object has; for {@link FakeApiServer.seed}. */
  seed(kind: ServedKind, input: unknown): unknown;
  /** The object while it lingers. */
  remove(kind: ServedKind, key: ObjectKey, options: DeleteOptions): AnyObject | undefined;
}

const defaultManager = 'stork-fake-client';

export function createObjectWrites(environment: WritesEnvironment): ObjectWrites {
  const { store, collector } = environment;
  const settle = (options: WriteOptions, kind: ServedKind, next: StoredObject, before?: StoredObject): AnyObject => {
    const unchanged = before !== undefined && sameJson(before.object, next.object) && sameManagers(before, next);
    if (options.dryRun === 'All') return next.object;
    if (unchanged) return before.object;
    const stored = store.put(collectionOf(kind), next).object;
    collector.collectAfter(stored);
    return stored;
  };
  const getStored = (kind: ServedKind, key: ObjectKey) => {
    const found = store.find(collectionOf(kind), scoped(kind, key));
    if (found === undefined) throw refusals.notFound(kind.resource, key);
    return found;
  };
  const createFrom = (
    kind: ServedKind,
    input: Fields,
    options: WriteOptions,
    managersOf?: StoredObject['managers'],
  ) => {
    const { namespace, name } = newKey(kind, input, environment.newSuffix);
    refuseLostNamespace(store, kind, { namespace, name });
    if (store.find(collectionOf(kind), { namespace, name }) !== undefined) {
      throw refusals.alreadyExists(kind.resource, { namespace, name });
    }
    const birth = { name, uid: environment.newUid(), creationTimestamp: environment.now() };
    const object = admitNew(kind, input, namespace, birth);
    const by = { manager: options.fieldManager ?? defaultManager, subresource: '' };
    const managers = managersOf ?? planUpdate({ before: {}, after: object, shape: kind.shape }, [], by);
    return settle(options, kind, { object, managers });
  };
  const update = (kind: ServedKind, before: StoredObject, next: Fields, options: WriteOptions) => {
    const after = admitUpdate({ kind, before: before.object, next, subresource: options.subresource });
    const by = { manager: options.fieldManager ?? defaultManager, subresource: options.subresource ?? '' };
    const change = { before: before.object, after, shape: kind.shape };
    return settle(options, kind, { object: after, managers: planUpdate(change, before.managers, by) }, before);
  };

  return {
    create(kind, input, options) {
      const body = fieldsOf(frozenCopy(input));
      const key = { name: String(at(body, 'metadata', 'name') ?? '') };
      if (at(body, 'metadata', 'resourceVersion') !== undefined) {
        throw refusals.internalError(kind.resource, key, 'resourceVersion should not be set on objects to be created');
      }
      refuseUnknownFields(kind, key, body);
      return createFrom(kind, body, options);
    },
    replace(kind, input, options) {
      const body = fieldsOf(frozenCopy(input));
      const key = keyIn(body);
      refuseUnknownFields(kind, key, body);
      const before = getStored(kind, key);
      refuseOtherThan(kind, before.object, fieldsOf(body.metadata));
      return update(kind, before, body, options);
    },
    apply(kind, input, options) {
      const body = fieldsOf(frozenCopy(withoutNulls(input)));
      const key = keyIn(body);
      refuseUntypable(kind, key, body);
      const before = store.find(collectionOf(kind), scoped(kind, key));
      if (before === undefined && options.subresource !== undefined) throw refusals.notFound(kind.resource, key);
      refuseOtherApplied(kind, before?.object, fieldsOf(body.metadata), key);
      const applied = appliedPart(kind, body, options.subresource);
      const plan = planApply({
        live: before === undefined ? {} : before.object,
        applied,
        managers: before?.managers ?? [],
        by: { manager: options.fieldManager, subresource: options.subresource ?? '' },
        shape: kind.shape,
        force: options.conflicts ?? 'Refuse',
        apiVersion: String(body.apiVersion),
      });
      if (plan.conflicts.length > 0) throw refusals.fieldManagerConflict(kind.resource, key, plan.conflicts);
      if (before === undefined) return createFrom(kind, applied, options, plan.managers);
      const next = fieldsOf(plan.object);
      const after = admitUpdate({ kind, before: before.object, next, subresource: options.subresource });
      return settle(options, kind, { object: after, managers: plan.managers }, before);
    },
    patch(kind, key, patch, options) {
      const before = getStored(kind, key);
      if (options.subresource === 'scale') return update(kind, before, scaledBy(before.object, patch), options);
      if (patch.type === 'strategic' && kind.origin === 'Custom') throw refusals.unsupportedPatch(kind.resource, key);
      const next = applyPatch(kind, key, before.object, patch);
      refuseUnknownFields(kind, key, next);
      refuseOtherThan(kind, before.object, fieldsOf(next.metadata));
      return update(kind, before, next, options);
    },
    seed(kind, input) {
      const body = fieldsOf(frozenCopy(input));
      const counted = kind.generation === 'Counted' ? { generation: 1 } : {};
      const born = { uid: environment.newUid(), creationTimestamp: environment.now(), ...counted };
      return { ...body, metadata: { ...born, ...fieldsOf(body.metadata) } };
    },
    remove(kind, key, options) {
      const stored = getStored(kind, key);
      refusePreconditions(kind, stored.object, options);
      return collector.remove(kind, stored, options);
    },
  };
}

const scoped = (kind: ServedKind, key: ObjectKey): ObjectKey => (kind.resource.namespaced ? key : { name: key.name });

function keyIn(body: Fields): ObjectKey {
  const namespace = at(body, 'metadata', 'namespace');
  return {
    namespace: typeof namespace === 'string' ? namespace : undefined,
    name: String(at(body, 'metadata', 'name')),
  };
}

function newKey(kind: ServedKind, input: Fields, newSuffix: () => string) {
  const given = at(input, 'metadata', 'name');
  const prefix = at(input, 'metadata', 'generateName');
  const namespace = kind.resource.namespaced ? keyIn(input).namespace : undefined;
  if (typeof given === 'string' && given !== '') return { namespace, name: given };
  if (typeof prefix === 'string' && prefix !== '') return { namespace, name: `${prefix}${newSuffix()}` };
  const message = 'Required value: name or generateName is required';
  throw refusals.invalid(kind.resource, { name: '' }, [
    { reason: 'FieldValueRequired', field: 'metadata.name', message },
  ]);
}

/** What of an applied object counts on this endpoint. */
function appliedPart(kind: ServedKind, body: Fields, subresource: WriteOptions['subresource']): Fields {
  if (kind.status === 'Plain') return body;
  if (subresource !== 'status') return without(body, 'status');
  const { name, namespace } = keyIn(body);
  return without({
    apiVersion: body.apiVersion,
    kind: body.kind,
    metadata: without({ name, namespace }),
    status: body.status,
  });
}

function applyPatch(kind: ServedKind, key: ObjectKey, before: AnyObject, patch: Patch): Fields {
  try {
    return fieldsOf(frozenCopy(patched(before, patch, kind.shape)));
  } catch (error) {
    if (!(error instanceof InapplicablePatch)) throw error;
    throw refusals.invalid(kind.resource, key, [
      { reason: 'FieldValueInvalid', field: 'patch', message: error.message },
    ]);
  }
}

/** `/scale` as far as we use it: a merge patch of spec.replicas. */
function scaledBy(before: AnyObject, patch: Patch): Fields {
  const replicas = at(patch.body, 'spec', 'replicas');
  return { ...before, spec: { ...fieldsOf(before.spec), ...(replicas === undefined ? {} : { replicas }) } };
}

function sameManagers(a: StoredObject, b: StoredObject): boolean {
  const text = (stored: StoredObject) =>
    stored.managers
      .map((one) => [one.manager, one.operation, one.subresource, [...one.fields].toSorted()].join('\u0000'))
      .toSorted();
  return sameJson(text(a), text(b));
}
