import { driverConformance } from '../conformance/driver-conformance.ts';
import { fakeCsiWorld } from './testing/fake-csi-world.ts';

for (const policy of ['Delete', 'Retain'] as const)
  driverConformance({
    name: `csi on the fake API server, classes with ${policy}`,
    facets: ['snapshots', 'clone', 'resize'],
    makeWorld: async () => fakeCsiWorld({ policy }),
  });
