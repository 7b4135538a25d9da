/**
 * The explicit list of drivers, in the order in which they are asked. A volume belongs to the first that owns it: vendors'
 * drivers come before the generic ones. CSI drivers are told apart by provisioner, one value for each that is met.
 */
import type { AnyObject, KubeClient } from '../kube/client/client.ts';
import type { Clock } from '../kube/clock.ts';
import { csiDriver } from './csi/csi-driver.ts';
import type { Driver } from './driver.ts';
import { localDriver } from './local/local-driver.ts';
import { assertPersistentVolume, assertStorageClass } from './persistent-volume.ts';

/** What a volume is recognised by: its PersistentVolume, or its StorageClass while it is unbound. */
export interface OwnableVolume {
  readonly pv?: AnyObject | undefined;
  readonly storageClass?: AnyObject | undefined;
}

export interface DriverRegistry {
  /** The driver of a volume; `undefined` when no driver knows it. The same value each time. */
  driverFor(volume: OwnableVolume): Driver | undefined;
}

export interface DriverEnvironment {
  readonly client: KubeClient;
  readonly clock: Clock;
}

export function createDriverRegistry(environment: DriverEnvironment): DriverRegistry {
  const families: readonly ((volume: OwnableVolume) => Driver | undefined)[] = [
    single(localDriver(environment)),
    csiFamily(environment),
  ];
  return {
    driverFor(volume) {
      for (const family of families) {
        const driver = family(volume);
        if (driver?.owns(volume) === true) return driver;
      }
      return undefined;
    },
  };
}

function single(driver: Driver) {
  return (volume: OwnableVolume) => (driver.owns(volume) ? driver : undefined);
}

/** One driver value per CSI provisioner; as many as the cluster has. */
function csiFamily(environment: DriverEnvironment) {
  const known = new Map<string, Driver>();
  return ({ pv, storageClass }: OwnableVolume): Driver | undefined => {
    const provisioner =
      pv === undefined
        ? storageClass && assertStorageClass(storageClass).provisioner
        : assertPersistentVolume(pv).spec?.csi?.driver;
    // In-tree provisioners (kubernetes.io/…) have no CSI driver of that name.
    if (provisioner === undefined || provisioner.startsWith('kubernetes.io/')) return undefined;
    const found = known.get(provisioner) ?? csiDriver({ ...environment, provisioner });
    known.set(provisioner, found);
    return found;
  };
}
