/**
 * Deletion and what follows from it: finalizers, graceful pods, dependents of gone owners, contents of namespaces, claims
 * that no pod uses any more. In a cluster the last three are asynchronous; here they have happened when the write returns.
 */
import type { AnyObject, DeleteOptions, OwnerReference } from '../client/client.ts';
import { assertObject } from './admission.ts';
import { at, itemsOf, without } from './json-value.ts';
import type { ObjectStore, StoredObject } from './object-store.ts';
import { indexPending } from './pending-index.ts';
import { collectionOf, type ServedKind } from './served-kinds.ts';

export interface Collector {
  /** Deletes, or marks for deletion and answers the lingering object. */
  remove(kind: ServedKind, stored: StoredObject, options: DeleteOptions): AnyObject | undefined;
  /** Finishes every deletion that nothing holds back any more. To be called with each object written. */
  collectAfter(written: AnyObject): void;
}

const defaultPodGraceSeconds = 30;
const foreground = 'foregroundDeletion';
const pvProtection = 'kubernetes.io/pv-protection';
const pvcProtection = 'kubernetes.io/pvc-protection';

export function createCollector(
  store: ObjectStore,
  kindOf: (collection: string) => ServedKind,
  now: () => string,
): Collector {
  const pending = indexPending(store);
  const remove = (kind: ServedKind, stored: StoredObject, options: DeleteOptions): AnyObject | undefined => {
    const { object } = stored;
    const key = object.metadata;
    if (options.propagation === 'Orphan') orphan(object.metadata.uid);
    const graceSeconds = graceFor(kind, object, options);
    const finalizers = [...(key.finalizers ?? []), ...(options.propagation === 'Foreground' ? [foreground] : [])];
    const held = finalizers.length > 0 || graceSeconds > 0 || itemsOf(at(object, 'spec', 'finalizers')).length > 0;
    if (!held) {
      store.remove(collectionOf(kind), key);
    } else if (key.deletionTimestamp === undefined) {
      store.put(collectionOf(kind), { ...stored, object: marked(object, finalizers, graceSeconds) });
    } else if (graceSeconds === 0 && isGraceful(object)) {
      store.put(collectionOf(kind), { ...stored, object: withMetadata(object, { deletionGracePeriodSeconds: 0 }) });
    }
    collect();
    return store.find(collectionOf(kind), key)?.object;
  };
  const marked = (object: AnyObject, finalizers: readonly string[], graceSeconds: number): AnyObject => {
    const { generation } = object.metadata;
    const metadata = {
      ...object.metadata,
      ...(generation === undefined ? {} : { generation: generation + 1 }),
      ...(finalizers.length === 0 ? {} : { finalizers }),
      deletionTimestamp: now(),
      deletionGracePeriodSeconds: graceSeconds,
    };
    const status = object.kind === 'Namespace' ? { status: { phase: 'Terminating' } } : {};
    return assertObject({ ...object, ...status, metadata });
  };
  const orphan = (uid: string | undefined): void => {
    for (const [collection, stored] of store.everything()) {
      const left = (stored.object.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid);
      if (left.length !== (stored.object.metadata.ownerReferences ?? []).length) {
        store.put(collection, { ...stored, object: withMetadata(stored.object, { ownerReferences: left }) });
      }
    }
  };
  const collect = (): void => {
    while (collectOne());
  };
  const collectAfter = (written: AnyObject): void => {
    const pending = written.metadata.deletionTimestamp !== undefined || owners(written).length > 0;
    if (pending || written.kind === 'Pod') collect();
  };
  /** One step; whether there was something to do. */
  const collectOne = (): boolean => {
    for (const [collection, stored] of pending.candidates()) {
      if (collectStep(collection, stored)) return true;
    }
    return false;
  };
  const collectStep = (collection: string, stored: StoredObject): boolean => {
    const { object } = stored;
    const kind = kindOf(collection);
    if (object.metadata.deletionTimestamp === undefined) {
      if (!isOrphaned(object, pending.uids)) return false;
      remove(kind, stored, {});
      return true;
    }
    if (object.kind === 'Namespace') return collectNamespace(stored);
    if (object.metadata.finalizers?.includes(foreground) === true) return collectForeground(kind, stored);
    const protection = releasableProtection(store, object);
    if (protection !== undefined) {
      release(kind, stored, protection);
      return true;
    }
    if (isHeld(object)) return false;
    store.remove(collection, object.metadata);
    return true;
  };
  const collectNamespace = ({ object: namespace }: StoredObject): boolean => {
    const inside = [...store.everything()].filter(
      ([, { object }]) => object.metadata.namespace === namespace.metadata.name,
    );
    const living = inside.filter(([, { object }]) => object.metadata.deletionTimestamp === undefined);
    for (const [collection, { object }] of living) {
      const stored = store.find(collection, object.metadata);
      if (stored !== undefined) remove(kindOf(collection), stored, {});
    }
    if (living.length > 0) return true;
    if (inside.length > 0 || isHeld(namespace)) return false;
    store.remove('/namespaces', namespace.metadata);
    return true;
  };
  const collectForeground = (kind: ServedKind, stored: StoredObject): boolean => {
    const { uid } = stored.object.metadata;
    const dependents = [...store.everything()].filter(([, { object }]) =>
      owners(object).some((owner) => owner.uid === uid),
    );
    const living = dependents.find(([, { object }]) => object.metadata.deletionTimestamp === undefined);
    if (living !== undefined) {
      remove(kindOf(living[0]), living[1], { propagation: 'Foreground' });
      return true;
    }
    if (dependents.some(([, { object }]) => owners(object).some((one) => one.uid === uid && one.blockOwnerDeletion)))
      return false;
    release(kind, stored, foreground);
    return true;
  };
  const release = (kind: ServedKind, stored: StoredObject, finalizer: string): void => {
    const finalizers = (stored.object.metadata.finalizers ?? []).filter((one) => one !== finalizer);
    store.put(collectionOf(kind), { ...stored, object: withMetadata(stored.object, { finalizers }) });
  };
  return { remove, collectAfter };
}

/** The finalizer of a claim that no pod uses any more, or of a volume that is not bound. */
function releasableProtection(store: ObjectStore, object: AnyObject): string | undefined {
  const { finalizers = [], namespace, name } = object.metadata;
  if (object.kind === 'PersistentVolume' && finalizers.includes(pvProtection)) {
    return at(object, 'status', 'phase') === 'Bound' ? undefined : pvProtection;
  }
  if (object.kind !== 'PersistentVolumeClaim' || !finalizers.includes(pvcProtection)) return undefined;
  const uses = ({ object: pod }: StoredObject) =>
    pod.metadata.namespace === namespace &&
    !['Succeeded', 'Failed'].includes(String(at(pod, 'status', 'phase'))) &&
    itemsOf(at(pod, 'spec', 'volumes')).some((volume) => at(volume, 'persistentVolumeClaim', 'claimName') === name);
  return store.all('/pods').some(uses) ? undefined : pvcProtection;
}

const owners = (object: AnyObject): readonly OwnerReference[] => object.metadata.ownerReferences ?? [];

const isOrphaned = (object: AnyObject, uids: ReadonlySet<string | undefined>) =>
  owners(object).length > 0 && owners(object).every((owner) => !uids.has(owner.uid));

/** Finalizers hold everything, the grace period holds pods until their kubelet (a delete with grace 0) confirms. */
function isHeld(object: AnyObject): boolean {
  if ((object.metadata.finalizers ?? []).length > 0) return true;
  return isGraceful(object);
}

const isGraceful = (object: AnyObject) =>
  object.kind === 'Pod' && Number(at(object.metadata, 'deletionGracePeriodSeconds') ?? 0) > 0;

/** Only a pod that a node may be running is deleted gracefully. */
function graceFor(kind: ServedKind, object: AnyObject, options: DeleteOptions): number {
  if (kind.resource.kind !== 'Pod' || kind.resource.group !== '') return 0;
  const phase = at(object, 'status', 'phase');
  if (at(object, 'spec', 'nodeName') === undefined || phase === 'Succeeded' || phase === 'Failed') return 0;
  const asked = options.gracePeriodSeconds ?? at(object, 'spec', 'terminationGracePeriodSeconds');
  return typeof asked === 'number' ? asked : defaultPodGraceSeconds;
}

function withMetadata(object: AnyObject, changes: Readonly<Record<string, unknown>>): AnyObject {
  const empty = Object.keys(changes).filter((name) => Array.isArray(changes[name]) && changes[name].length === 0);
  return assertObject({ ...object, metadata: without({ ...object.metadata, ...changes }, ...empty) });
}
