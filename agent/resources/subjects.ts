/** Whether an RBAC subject belongs to one of these namespaces: its ServiceAccounts, and the names they have as users and groups. */
import { fieldsOf, textOf } from './fields.ts';

export function isSubjectOf(subject: unknown, namespaces: readonly string[]): boolean {
  const { kind, name, namespace } = fieldsOf(subject);
  const subjectName = textOf(name) ?? '';
  switch (kind) {
    case 'ServiceAccount':
      return subjectName !== 'default' && namespaces.includes(textOf(namespace) ?? '');
    case 'User':
      return namespaces.some((ns) => subjectName.startsWith(`system:serviceaccount:${ns}:`));
    case 'Group':
      return namespaces.some((ns) => subjectName === `system:serviceaccounts:${ns}`);
    default:
      return false;
  }
}
