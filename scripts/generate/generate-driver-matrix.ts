/** docs/drivers.md from the drivers' values. They are made over a client that is never called. */
import { csiDriver } from '../../drivers/csi/csi-driver.ts';
import { type DescribedDriver, renderDriverMatrix } from '../../drivers/driver-matrix.ts';
import { localDriver } from '../../drivers/local/local-driver.ts';
import { memoryDriver } from '../../drivers/memory/memory-driver.ts';
import { memoryStorage } from '../../drivers/memory/memory-storage.ts';
import { manualClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import type { Generator } from '../generate.ts';

export function generateDriverMatrix(): Generator {
  return {
    name: 'driver matrix',
    owns: { folder: 'docs', ending: 'drivers.md' },
    generate: () => new Map([['docs/drivers.md', renderDriverMatrix(describedDrivers())]]),
  };
}

function describedDrivers(): readonly DescribedDriver[] {
  const clock = manualClock();
  const client = fakeApiServer({ clock }).client();
  return [
    {
      driver: csiDriver({ client, clock, provisioner: 'example.com' }),
      about: 'Any CSI driver, through the Kubernetes API alone: one value per provisioner that is met.',
      limits: [
        'Node status is Online or Offline, from CSINode, the node-plugin’s pods (found by their DaemonSet) and node readiness; there is no Degraded.',
        'Where the data is, is known only when the volume’s node affinity names one node; a zone is reachability, not locality.',
        'Snapshots need the CRDs and controllers of external-snapshotter and a VolumeSnapshotClass of the driver: the default one, or the only one.',
        'A snapshot is read elsewhere by importing its handle (VolumeSnapshotContent with deletionPolicy Retain) into a new claim of the source’s StorageClass.',
        'Clones stay in their namespace. Resizing needs allowVolumeExpansion and only grows.',
        'Used bytes come from the kubelets (get on nodes/proxy) for attached volumes; without that permission they are unknown.',
      ],
    },
    {
      driver: localDriver({ client }),
      about: 'Static local volumes, hostPath and local-path-provisioner: a folder or disk of one node.',
      limits: [
        'The node lost is the data lost until it returns; there are no snapshots, so a running volume is read live.',
      ],
    },
    {
      driver: memoryDriver({ storage: memoryStorage(() => clock.now()) }),
      about: 'The reference driver, in memory, for tests. Not in the registry.',
      limits: [],
    },
  ];
}
