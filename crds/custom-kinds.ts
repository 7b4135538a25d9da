/**
 * Which custom kinds are part of applications: known to the agent, which collects them, and to the plugin, which gives it
 * the rights. Pure.
 *
 * tidy: driver-names because API groups that never travel are named here, as in Stork
 */

/** False for Stork's own objects, and kinds that describe storage or running copies of one cluster: those never travel. */
export const isApplicationKind = ({ group, kind }: { readonly group: string; readonly kind: string }): boolean =>
  !machineryGroups.has(group) && !machineryKinds.has(`${group}/${kind}`);

const machineryGroups: ReadonlySet<string> = new Set([
  'autopilot.libopenstorage.org',
  'core.libopenstorage.org',
  'groupsnapshot.storage.k8s.io',
  'kdmp.portworx.com',
  'snapshot.storage.k8s.io',
  'stork.libopenstorage.org',
  'volumesnapshot.external-storage.k8s.io',
]);

const machineryKinds: ReadonlySet<string> = new Set([
  'cdi.kubevirt.io/DataVolume',
  'kubevirt.io/VirtualMachineInstance',
  'kubevirt.io/VirtualMachineInstanceMigration',
]);

/** What gives the agents of a cluster the rights on such kinds; said wherever one is missing. */
export const allowKindsCommand = 'kubectl stork allow kinds';
