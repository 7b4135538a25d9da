import { driverConformance } from '../conformance/driver-conformance.ts';
import type { DriverProcess, DriverWorld } from '../conformance/driver-world.ts';
import type { VolumeRef } from '../driver.ts';
import { memoryDriver } from './memory-driver.ts';
import { memoryStorage } from './memory-storage.ts';

driverConformance({
  name: 'memory',
  facets: ['snapshots', 'clone', 'resize'],
  makeWorld: async () => memoryWorld(),
});

function memoryWorld(): DriverWorld {
  let seconds = 0;
  const storage = memoryStorage(() => new Date(Date.UTC(2026, 0, 1) + 1000 * ++seconds));
  storage.nodes.push({ node: 'n1', status: 'Online', reason: '', zone: 'z1', region: undefined, rack: undefined });
  let made = 0;
  const addVolume = (content: string, sizeBytes = 1n << 30n): VolumeRef => {
    made += 1;
    const claim = { namespace: 'default', name: `claim-${made}`, uid: `uid-${String(made).padStart(6, '0')}` };
    const ref = { claim, volume: `pv-${made}` };
    storage.volumes.set(ref.volume, { ref, sizeBytes, content, replicas: ['n1'] });
    return ref;
  };
  return {
    readNamespace: 'stork-system',
    start: () => startProcess(storage),
    makeVolume: async (content) => addVolume(content),
    makeHugeVolume: async (sizeBytes) => addVolume('', sizeBytes),
    makeManyVolumes: async (count) => Array.from({ length: count }, () => addVolume('')),
    write: async (ref, content) => {
      const volume = storage.volumes.get(ref.volume);
      if (volume !== undefined) storage.volumes.set(ref.volume, { ...volume, content });
    },
    read: async (claim) => storage.claims.get(`${claim.namespace}/${claim.name}`)?.content ?? 'no such claim',
    settle: async () => storage.settle(),
    persistentVolume: async (ref) => ({ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: ref.volume } }),
    countSnapshots: async ({ volume }) =>
      [...storage.snapshots.values()].filter((snapshot) => snapshot.volume === volume.volume).length,
    [Symbol.asyncDispose]: async () => {},
  };
}

function startProcess(storage: ReturnType<typeof memoryStorage>): DriverProcess {
  let left: { number: number; moment: 'Before' | 'After'; once: 'Yes' | 'No' } | undefined;
  let struck: 'Yes' | 'No' = 'No';
  const driver = memoryDriver({
    storage,
    onMutation(moment) {
      if (struck === 'Yes' && left?.once === 'No') throw new Error('dead');
      if (left === undefined || struck === 'Yes') return;
      if (moment === 'Before') left.number -= 1;
      if (left.number > 0 || moment !== left.moment) return;
      struck = 'Yes';
      throw new Error('connection lost');
    },
  });
  return {
    driver,
    dieAtMutation: (number, moment) => {
      left = { number, moment, once: 'No' };
    },
    loseNextReply: () => {
      left = { number: 1, moment: 'After', once: 'Yes' };
    },
    hasDied: async () => struck,
  };
}
