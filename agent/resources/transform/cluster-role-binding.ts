/** ClusterRoleBinding: only the subjects that belong to the migrated namespaces are bound on the destination. */
import { at, itemsOf, setField } from '../fields.ts';
import { isSubjectOf } from '../subjects.ts';
import type { Transform } from './transform-context.ts';

export const transformClusterRoleBinding: Transform = (object, context) => {
  const subjects = itemsOf(at(object, ['subjects'])).filter((subject) => isSubjectOf(subject, context.namespaces));
  return setField(object, ['subjects'], subjects);
};
