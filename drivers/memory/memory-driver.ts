/**
 * The reference driver: every facet over memory-storage.ts, in one screen. What it does the contract asks for, and tests
 * of features use it in place of a real one. `onMutation` lets a test lose replies and kill the process.
 */
import type { KubeObject, ObjectKey } from '../../kube/client/client.ts';
import { StorkError } from '../../kube/errors.ts';
import type { Driver, SnapshotRequest, SnapshotState, VolumeRef } from '../driver.ts';
import { describeMemoryVolume, type MemorySnapshot, type MemoryStorage, type MemoryVolume } from './memory-storage.ts';

export interface MemoryDriverOptions {
  readonly storage: MemoryStorage;
  /** Called before and after each change of the storage; may throw, as a broken connection would. */
  readonly onMutation?: ((moment: 'Before' | 'After') => void) | undefined;
}

/** PersistentVolumes of this driver name it so, as CSI drivers do. */
export const memoryProvisioner = 'memory.stork.test';

export function memoryDriver({ storage, onMutation }: MemoryDriverOptions): Driver {
  const { snapshots, volumes, claims } = storage;
  const call = async <Result>(signal: AbortSignal | undefined, run: () => Result): Promise<Result> => {
    signal?.throwIfAborted();
    return run();
  };
  const mutate = <Result>(change: () => Result): Result => {
    onMutation?.('Before');
    const result = change();
    onMutation?.('After');
    return result;
  };
  const getVolume = (ref: VolumeRef): MemoryVolume => {
    const volume = volumes.get(ref.volume);
    if (volume?.ref.claim.uid === ref.claim.uid) return volume;
    throw new StorkError({ code: 'VolumeUnknown', message: `no volume ${ref.volume}`, about: ref.volume });
  };
  const takeClaim = (key: ObjectKey, madeFor: string, content: string) => {
    const name = `${key.namespace}/${key.name}`;
    const found = claims.get(name);
    if (found === undefined) mutate(() => claims.set(name, { content, madeFor }));
    else if (found.madeFor !== madeFor) throw nameTaken(name);
  };
  return {
    name: 'memory',
    owns: ({ pv, storageClass }) =>
      pv === undefined ? textAt(storageClass, 'provisioner') === memoryProvisioner : volumes.has(pv.metadata.name),
    nodes: (signal) => call(signal, () => [...storage.nodes]),
    inspect: (refs, signal) =>
      call(signal, () => {
        const known = refs.filter((ref) => volumes.get(ref.volume)?.ref.claim.uid === ref.claim.uid);
        return new Map(known.map((ref) => [ref.volume, describeMemoryVolume(getVolume(ref))]));
      }),
    snapshots: {
      ensure: (request, signal) =>
        call(signal, () => {
          const found = snapshots.get(keyOf(request));
          if (found !== undefined) return stateOf(refuseOther(found, request));
          const volume = getVolume(request.volume);
          const made: MemorySnapshot = {
            key: request.key,
            handle: storage.newHandle(),
            volume: request.volume.volume,
            content: volume.content,
            cutTime: '',
            sizeBytes: volume.sizeBytes,
            phase: 'Pending',
          };
          mutate(() => snapshots.set(keyOf(request), made));
          return stateOf(made);
        }),
      observe: (request, signal) =>
        call(signal, () => {
          const found = snapshots.get(keyOf(request));
          return found === undefined ? undefined : stateOf(refuseOther(found, request));
        }),
      ensureReadable: (request, into, signal) =>
        call(signal, () => {
          const found = snapshots.get(keyOf(request));
          if (found?.phase !== 'Ready') throw notReady(request, found?.phase);
          takeClaim(into, `${keyOf(request)} of ${request.volume.volume}`, found.content);
          return { namespace: into.namespace, name: into.name };
        }),
      releaseReadable: (request, into, signal) =>
        call(signal, () => {
          const name = `${into.namespace}/${into.name}`;
          if (claims.get(name)?.madeFor === `${keyOf(request)} of ${request.volume.volume}`)
            mutate(() => claims.delete(name));
          return 'Gone';
        }),
      release: (request, signal) =>
        call(signal, () => {
          if (snapshots.get(keyOf(request))?.volume === request.volume.volume)
            mutate(() => snapshots.delete(keyOf(request)));
          return 'Gone';
        }),
    },
    clone: {
      ensure: (source, target, signal) =>
        call(signal, () => {
          takeClaim(target, `clone of ${source.volume}`, getVolume(source).content);
          return 'Ready';
        }),
    },
    resize: {
      ensure: (ref, sizeBytes, signal) =>
        call(signal, () => {
          const volume = getVolume(ref);
          if (volume.sizeBytes === sizeBytes) return 'Done';
          if (volume.sizeBytes > sizeBytes)
            throw new StorkError({
              code: 'ShrinkRefused',
              message: `${ref.volume} is larger already`,
              about: ref.volume,
            });
          mutate(() => storage.resizes.set(ref.volume, sizeBytes));
          return 'Pending';
        }),
    },
  };
}

function keyOf(request: SnapshotRequest): string {
  return `${request.volume.claim.namespace}/${request.key}`;
}

function stateOf(snapshot: MemorySnapshot): SnapshotState {
  const { phase, cutTime, handle, sizeBytes } = snapshot;
  switch (phase) {
    case 'Pending':
      return { phase };
    case 'Cut':
      return { phase, cutTime, handle };
    case 'Ready':
      return { phase, cutTime, handle, restoreSizeBytes: sizeBytes };
    default:
      return phase satisfies never;
  }
}

function refuseOther(snapshot: MemorySnapshot, request: SnapshotRequest): MemorySnapshot {
  if (snapshot.volume === request.volume.volume) return snapshot;
  throw nameTaken(keyOf(request));
}

function nameTaken(name: string): StorkError {
  return new StorkError({ code: 'NameTaken', message: `${name} was made for something else`, about: name });
}

function notReady(request: SnapshotRequest, phase: string | undefined): StorkError {
  const message = `snapshot ${request.key} is ${phase ?? 'missing'}`;
  return new StorkError({ code: 'SnapshotNotReady', message, about: request.key, retryable: phase !== undefined });
}

function textAt(object: (KubeObject & { readonly [field: string]: unknown }) | undefined, field: string): unknown {
  return object?.[field];
}
