/**
 * As whom a mover runs where Pod Security admits no root: as the pod whose volumes it reads or writes. It may then what that
 * pod may. Pure.
 */
import type { Pod } from '../../kube/client/core.ts';
import type { MoverRole } from './contract.ts';

export interface MoverIdentity {
  readonly runAsUser: number;
  readonly runAsGroup?: number | undefined;
  readonly fsGroup?: number | undefined;
  readonly fsGroupChangePolicy?: string | undefined;
  readonly supplementalGroups?: readonly number[] | undefined;
}

/** For pods that leave the user to their image. */
const nobody = 65_532;
/** `disk`, to which Linux distributions give block devices. A container has those that it is given, no others. */
const diskGroup = 6;

export function identityOf(
  spec: Pick<NonNullable<Pod['spec']>, 'securityContext' | 'containers'> | undefined,
): MoverIdentity {
  const { fsGroup, fsGroupChangePolicy, supplementalGroups, ...pod } = spec?.securityContext ?? {};
  const container = spec?.containers.map(({ securityContext }) => securityContext).find((own) => own?.runAsUser);
  const user = container?.runAsUser ?? pod.runAsUser ?? 0;
  const group = container?.runAsGroup ?? pod.runAsGroup;
  return {
    runAsUser: user === 0 ? nobody : user,
    ...(group === undefined ? {} : { runAsGroup: group }),
    ...(supplementalGroups === undefined ? {} : { supplementalGroups }),
    // Else the kubelet would give every file of the volume another group, or look at every one.
    ...(fsGroup === undefined ? {} : { fsGroup, fsGroupChangePolicy: fsGroupChangePolicy ?? 'OnRootMismatch' }),
  };
}

/**
 * What such a mover needs for its task. To write, it is in the pod's fsGroup without a word to the kubelet, which would else
 * give files of the volume another group and mode before the mover has looked at them.
 */
export function identityFor(
  task: { readonly role: MoverRole; readonly hasDevices: boolean },
  identity: MoverIdentity,
): MoverIdentity {
  const { fsGroup, fsGroupChangePolicy, supplementalGroups = [], ...user } = identity;
  const joined = task.role === 'destination' && fsGroup !== undefined ? [fsGroup] : [];
  const told = joined.length > 0 || fsGroup === undefined ? {} : { fsGroup, fsGroupChangePolicy };
  const groups = [...new Set([...supplementalGroups, ...joined, ...(task.hasDevices ? [diskGroup] : [])])];
  return { ...user, ...told, ...(groups.length === 0 ? {} : { supplementalGroups: groups }) };
}
