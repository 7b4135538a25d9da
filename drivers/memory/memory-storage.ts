/**
 * A storage system in memory: volumes with a content, snapshots, clones. Outlives driver values, as real storage outlives
 * our processes. Work that takes real storage a while happens in `settle()`.
 */
import type { StorageNode, VolumeFacts, VolumeRef } from '../driver.ts';

export interface MemoryVolume {
  readonly ref: VolumeRef;
  readonly sizeBytes: bigint;
  readonly content: string;
  readonly replicas: readonly string[];
}

export interface MemorySnapshot {
  readonly key: string;
  readonly handle: string;
  readonly volume: string;
  readonly content: string;
  readonly cutTime: string;
  readonly sizeBytes: bigint;
  readonly phase: 'Pending' | 'Cut' | 'Ready';
}

export interface MemoryStorage {
  readonly nodes: StorageNode[];
  /** By PersistentVolume name. */
  readonly volumes: Map<string, MemoryVolume>;
  /** By `namespace/key`. */
  readonly snapshots: Map<string, MemorySnapshot>;
  /** Claims made by clones and for reading: what is in them, and for whom they were made. By `namespace/name`. */
  readonly claims: Map<string, { readonly content: string; readonly madeFor: string }>;
  /** Sizes asked for and not there yet. */
  readonly resizes: Map<string, bigint>;
  /** Lets pending snapshots and resizes go one step further. */
  settle(): void;
  newHandle(): string;
}

export function memoryStorage(now: () => Date): MemoryStorage {
  let handles = 0;
  const volumes = new Map<string, MemoryVolume>();
  const snapshots = new Map<string, MemorySnapshot>();
  const resizes = new Map<string, bigint>();
  const further = (snapshot: MemorySnapshot): MemorySnapshot => {
    if (snapshot.phase !== 'Pending') return { ...snapshot, phase: 'Ready' };
    const content = volumes.get(snapshot.volume)?.content ?? snapshot.content;
    return { ...snapshot, phase: 'Cut', content, cutTime: now().toISOString() };
  };
  return {
    nodes: [],
    volumes,
    snapshots,
    claims: new Map(),
    resizes,
    newHandle: () => `memory-${++handles}`,
    settle() {
      for (const [key, snapshot] of snapshots) snapshots.set(key, further(snapshot));
      for (const [name, sizeBytes] of resizes) {
        const volume = volumes.get(name);
        if (volume !== undefined) volumes.set(name, { ...volume, sizeBytes });
        resizes.delete(name);
      }
    },
  };
}

/** What `inspect` tells of a volume. */
export function describeMemoryVolume(volume: MemoryVolume): VolumeFacts {
  return {
    ref: volume.ref,
    sizeBytes: volume.sizeBytes,
    usedBytes: BigInt(volume.content.length),
    mode: 'Filesystem',
    accessModes: ['ReadWriteOnce'],
    storageClass: 'memory',
    reachableFrom: 'All',
    replicas: volume.replicas,
    attachedTo: [],
  };
}
