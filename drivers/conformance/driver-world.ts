/**
 * What the conformance suite needs of a storage system besides the driver: volumes to work on, a look into them, and
 * processes that can be killed. Each driver has one world per storage it is proven on (memory, fake API server, real).
 */
import type { AnyObject, ObjectKey } from '../../kube/client/client.ts';
import type { Driver, SnapshotRequest, VolumeRef } from '../driver.ts';

/** One life of the agent: a driver value, and ways to end it badly. */
export interface DriverProcess {
  readonly driver: Driver;
  /** The n-th change (1 = the next) dies before or after it took effect; it and every later call reject. */
  dieAtMutation(number: number, moment: 'Before' | 'After'): void;
  /** The next change takes effect but its reply is lost. */
  loseNextReply(): void;
  /** Whether the scripted death has happened. */
  hasDied(): Promise<'Yes' | 'No'>;
}

export interface DriverWorld extends AsyncDisposable {
  /** A fresh process over the same storage. */
  start(): DriverProcess;
  /** A bound volume with this content. */
  makeVolume(content: string): Promise<VolumeRef>;
  write(volume: VolumeRef, content: string): Promise<void>;
  /** What a pod that mounts the claim would read. */
  read(claim: ObjectKey): Promise<string>;
  /** Lets storage and its controllers work for a moment. */
  settle(): Promise<void>;
  /** The volume's PersistentVolume, as `owns` is asked with it. */
  persistentVolume(volume: VolumeRef): Promise<AnyObject>;
  /** Snapshots that the storage itself has of this request's volume: shows leaks and doubles. */
  countSnapshots(request: SnapshotRequest): Promise<number>;
  /** A namespace that a snapshot may be read in, other than the volumes'. */
  readonly readNamespace: string;
  /** Many volumes at once, more than a page of the API; absent where that would take too long. */
  makeManyVolumes?(count: number): Promise<readonly VolumeRef[]>;
  /** A volume of exactly this size; absent where storage can't pretend. */
  makeHugeVolume?(sizeBytes: bigint): Promise<VolumeRef>;
}

/** A PersistentVolume of no driver here. */
export const foreignVolume: AnyObject = {
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'foreign' },
  spec: { csi: { driver: 'foreign.example.com', volumeHandle: 'h' }, capacity: { storage: '1Gi' } },
};

/** How often `eventually` looks; each look lets the world settle. */
const maxLooks = 60;

/** The first answer that `done` accepts. @throws Error when the world has settled often enough without one */
export async function eventually<Answer>(
  world: DriverWorld,
  ask: () => Promise<Answer>,
  done: (answer: Answer) => boolean,
): Promise<Answer> {
  let answer = await ask();
  for (let look = 0; look < maxLooks && !done(answer); look += 1) {
    await world.settle();
    answer = await ask();
  }
  if (!done(answer)) throw new Error(`never came true; last answer: ${inspectAnswer(answer)}`);
  return answer;
}

function inspectAnswer(answer: unknown): string {
  return JSON.stringify(answer, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value));
}
