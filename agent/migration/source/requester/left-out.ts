/**
 * Roles and bindings that whoever asked for a migration may not read, which Kubernetes keeps from editors of a namespace:
 * they don't travel. A binding of people alone, or of ServiceAccounts from elsewhere, is left out without a loss, since who
 * has access there is decided there; what binds the namespace's own ServiceAccounts is perhaps the application's. Pure.
 */
import type { AnyObject } from '../../../../kube/client/client.ts';
import { fieldsOf, itemsOf } from '../../../resources/fields.ts';
import { refOf } from '../../../resources/resource-ref.ts';
import type { ResourceResult } from '../resource-results.ts';

export const accessPolicyGroup = 'rbac.authorization.k8s.io';

export function describeLeftOut(object: AnyObject, username: string): ResourceResult {
  const { namespace = '', ...ref } = refOf(object);
  const binds = object.kind.endsWith('Binding') ? itemsOf(object.subjects).map(fieldsOf) : undefined;
  const isOfApplication = (one: ReturnType<typeof fieldsOf>) =>
    one.kind === 'ServiceAccount' && (namespace === '' || one.namespace === namespace);
  const bindsOthers = binds !== undefined && !binds.some(isOfApplication);
  const reason = `left out: user ${username}, who asked for the migration, may not read it`;
  if (bindsOthers) return { ...ref, namespace, status: 'Successful', reason: `${reason}; it binds nobody in it` };
  const hint = `let an admin migrate it, or exclude ${object.kind}`;
  return { ...ref, namespace, status: 'Failed', reason: `${reason}; ${hint}` };
}

/** `why`: what its pods have, as a clause. */
export function describePrivileged(object: AnyObject, why: string, username: string): ResourceResult {
  const { namespace = '', ...ref } = refOf(object);
  const reason = `left out: of its pods ${why}; Pod Security keeps such pods out of namespace ${namespace}, and user ${username}, who asked for the migration, may not change that`;
  return { ...ref, namespace, status: 'Failed', reason: `${reason}; let an admin migrate it` };
}
