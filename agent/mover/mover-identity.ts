/**
 * As whom a mover runs where Pod Security admits no root: as the pod whose volumes it reads. It can read then what that pod
 * can, and volumes get no other group from the kubelet than that pod's. Pure.
 */
import type { Pod } from '../../kube/client/core.ts';

export interface MoverIdentity {
  readonly runAsUser: number;
  readonly runAsGroup?: number | undefined;
  readonly fsGroup?: number | undefined;
  readonly fsGroupChangePolicy?: string | undefined;
  readonly supplementalGroups?: readonly number[] | undefined;
}

/** For pods that leave the user to their image. */
const nobody = 65_532;

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
