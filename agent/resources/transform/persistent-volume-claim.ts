/** PersistentVolumeClaim: what it asks for, without the source's volume and the traces of its snapshots. */
import { removeField } from '../fields.ts';
import type { Transform } from './transform-context.ts';

export const transformPersistentVolumeClaim: Transform = (object) =>
  removeField(object, ['spec', 'volumeName'], ['spec', 'dataSource'], ['spec', 'dataSourceRef']);
