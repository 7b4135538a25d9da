/**
 * What a storage system is to us: a small core that every driver has, and facets that only those have which can.
 * An absent facet is `undefined`: callers ask `driver.snapshots !== undefined`, never a driver's name.
 * drivers/conformance proves every driver against these contracts.
 *
 * Common contract: calls are idempotent (a mutation carries a `key`; repeating it with the same key returns the same
 * result and makes nothing new), may be repeated after a crash or a lost reply, and reject with a StorkError whose
 * `retryable` says whether waiting helps. Nothing here blocks until storage is done: results have a state to poll.
 */
import type { AnyObject, ObjectKey } from '../kube/client/client.ts';

export interface VolumeRef {
  readonly claim: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** The bound PersistentVolume's name. */
  readonly volume: string;
}

export interface StorageNode {
  /** The Kubernetes node's name. */
  readonly node: string;
  readonly status: 'Online' | 'Degraded' | 'StorageDown' | 'Offline';
  readonly reason: string;
  readonly zone: string | undefined;
  readonly region: string | undefined;
  readonly rack: string | undefined;
}

export interface VolumeFacts {
  readonly ref: VolumeRef;
  readonly sizeBytes: bigint;
  /** Bytes in use, when the storage says; an estimate, never used for safety. */
  readonly usedBytes: bigint | undefined;
  readonly mode: 'Filesystem' | 'Block';
  readonly accessModes: readonly string[];
  readonly storageClass: string | undefined;
  /** Nodes that can reach the data at all: names, or `All`. */
  readonly reachableFrom: readonly string[] | 'All';
  /** Nodes that hold a copy of the data (for locality); empty when unknown. */
  readonly replicas: readonly string[];
  /** The node the volume is attached to now, if any. */
  readonly attachedTo: readonly string[];
}

export interface SnapshotRequest {
  /** Idempotency key: DNS-1123 label, becomes part of object names. */
  readonly key: string;
  readonly volume: VolumeRef;
  /** VolumeSnapshotClass or the driver's equivalent; the driver's default when absent. */
  readonly snapshotClass?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

export type SnapshotState =
  | { readonly phase: 'Pending'; readonly message?: string | undefined }
  /** The point in time is fixed: applications may be released. Data may not be readable yet. */
  | { readonly phase: 'Cut'; readonly cutTime: string; readonly handle: string }
  | {
      readonly phase: 'Ready';
      readonly cutTime: string;
      readonly handle: string;
      readonly restoreSizeBytes: bigint | undefined;
    }
  | { readonly phase: 'Failed'; readonly reason: string };

export interface SnapshotsFacet {
  /** Starts (or finds) the snapshot with this key. */
  ensure(request: SnapshotRequest, signal?: AbortSignal): Promise<SnapshotState>;
  observe(request: SnapshotRequest, signal?: AbortSignal): Promise<SnapshotState | undefined>;
  /**
   * A PersistentVolumeClaim in `into.namespace` with the snapshot's content, for a mover to read. The claim (and what it
   * needs, e.g. an imported VolumeSnapshot) carries `labels`. Needs phase Ready. Returns the claim's key; it may be unbound
   * (WaitForFirstConsumer) until a pod uses it.
   */
  ensureReadable(
    request: SnapshotRequest,
    into: { readonly namespace: string; readonly name: string },
    signal?: AbortSignal,
  ): Promise<ObjectKey>;
  /** Removes what ensureReadable made; the snapshot stays. Resolves to whether everything is gone. */
  releaseReadable(
    request: SnapshotRequest,
    into: { readonly namespace: string; readonly name: string },
    signal?: AbortSignal,
  ): Promise<'Gone' | 'Releasing'>;
  /** Removes the snapshot itself. */
  release(request: SnapshotRequest, signal?: AbortSignal): Promise<'Gone' | 'Releasing'>;
}

export interface CloneFacet {
  /** A new claim with the content of `source` (same storage). Idempotent by `target`. */
  ensure(source: VolumeRef, target: ObjectKey, signal?: AbortSignal): Promise<'Pending' | 'Ready'>;
}

export interface ResizeFacet {
  ensure(volume: VolumeRef, sizeBytes: bigint, signal?: AbortSignal): Promise<'Pending' | 'Done'>;
}

export interface Driver {
  /** Stable lower-case name, for people; code never branches on it. */
  readonly name: string;
  /** Whether this driver owns a volume, by its PersistentVolume (and class, while unbound). First owner in the registry wins. */
  owns(volume: { readonly pv?: AnyObject | undefined; readonly storageClass?: AnyObject | undefined }): boolean;
  nodes(signal?: AbortSignal): Promise<readonly StorageNode[]>;
  /** Facts of several volumes at once; an unknown or unbound volume is absent from the map (keyed by PersistentVolume name). */
  inspect(volumes: readonly VolumeRef[], signal?: AbortSignal): Promise<ReadonlyMap<string, VolumeFacts>>;
  readonly snapshots?: SnapshotsFacet | undefined;
  readonly clone?: CloneFacet | undefined;
  readonly resize?: ResizeFacet | undefined;
}
