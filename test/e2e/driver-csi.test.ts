/** The csi driver on real storage: the test bed's CSI driver under the real provisioner, attacher, resizer and snapshotter. */
import { driverConformance } from '../../drivers/conformance/driver-conformance.ts';
import { realCsiWorld } from './real-csi-world.ts';

driverConformance({
  name: 'csi on real storage',
  facets: ['snapshots', 'clone', 'resize'],
  makeWorld: () => realCsiWorld('stork-csi-wffc'),
});
