/** Clones by a claim's dataSource: same namespace, same driver. Idempotent by the target's name. */
import { core } from '../../kube/client/core.ts';
import { StorkError } from '../../kube/errors.ts';
import type { CloneFacet } from '../driver.ts';
import { ensureOwned, ownedBy } from './ownership.ts';
import { placeCopy } from './selected-node.ts';
import { type CsiAccess, getSourceVolume } from './source-volume.ts';

export function cloneFacet(access: CsiAccess): CloneFacet {
  return {
    async ensure(source, target, signal) {
      if (target.namespace !== source.claim.namespace)
        throw new StorkError({
          code: 'CloneAcrossNamespaces',
          message: `a CSI clone can't leave its namespace: ${source.claim.namespace} → ${target.namespace}`,
          about: `persistentvolumeclaim ${target.namespace}/${target.name}`,
          hint: 'Use a snapshot and read it in the other namespace.',
        });
      const owner = { key: `clone-${target.name}`, volume: source };
      const { claim: from, pv } = await getSourceVolume(access, source, signal);
      const storageClass = from.spec?.storageClassName ?? '';
      const placement = await placeCopy(access, pv, storageClass, signal);
      const claim = await ensureOwned(
        access.client,
        core.persistentVolumeClaims,
        {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: {
            name: target.name,
            namespace: source.claim.namespace,
            annotations: { ...ownedBy(owner), ...placement },
          },
          spec: {
            accessModes: from.spec?.accessModes ?? [],
            volumeMode: from.spec?.volumeMode ?? 'Filesystem',
            storageClassName: storageClass,
            resources: { requests: { storage: pv.spec?.capacity?.storage ?? '0' } },
            dataSource: { kind: 'PersistentVolumeClaim', name: source.claim.name },
          },
        },
        { owner, signal },
      );
      return claim.status?.phase === 'Bound' ? 'Ready' : 'Pending';
    },
  };
}
