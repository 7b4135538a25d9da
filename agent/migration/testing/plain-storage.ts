/** The fakes' StorageClasses: `fast`, and one whose volumes lack the facet of snapshots. */
import type { Driver } from '../../../drivers/driver.ts';
import { core } from '../../../kube/client/core.ts';
import type { FakeApiServer } from '../../../kube/fake/fake-api-server.ts';
import { fieldsOf } from '../../resources/fields.ts';

export const plainClass = 'plain';

export function facetsFor(driver: Driver, pv: Parameters<Driver['owns']>[0]['pv']): Driver {
  const { storageClassName } = fieldsOf(pv?.spec);
  return storageClassName === plainClass ? { ...driver, snapshots: undefined } : driver;
}

export function seedClasses(server: FakeApiServer): void {
  for (const name of ['fast', plainClass])
    server.seed(core.storageClasses, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name },
      provisioner: 'memory.stork.test',
    });
}
