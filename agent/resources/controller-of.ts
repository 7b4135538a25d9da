/** What made an object and looks after it. Pure. */
import type { KubeObject, OwnerReference } from '../../kube/client/client.ts';

export const controllerOf = ({ metadata }: Pick<KubeObject, 'metadata'>): OwnerReference | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller === true);
