/**
 * PersistentVolume: freed of the source's claim and class, kept whatever happens to its claim; class and reclaim policy
 * are saved in Stork's annotations. What the storage itself needs rewritten is its driver's.
 */
import { annotate, at, removeField, setField, textOf } from '../fields.ts';
import { storkNames } from '../names.ts';
import type { Transform } from './transform-context.ts';

export const transformPersistentVolume: Transform = (object) => {
  const saved = annotate(object, {
    [storkNames.currentStorageClass]: textOf(at(object, ['spec', 'storageClassName'])),
    [storkNames.reclaimPolicy]: textOf(at(object, ['spec', 'persistentVolumeReclaimPolicy'])),
  });
  const freed = removeField(saved, ['spec', 'claimRef'], ['spec', 'storageClassName']);
  return setField(freed, ['spec', 'persistentVolumeReclaimPolicy'], 'Retain');
};
