/**
 * A StatefulSet may tell Kubernetes to delete its claims: when it is scaled down (`whenScaled: Delete`), when it is deleted
 * (`whenDeleted`). Whoever puts one to rest sets whenScaled to Retain in the same write, and who starts it sets it back:
 * replicas 0 is never seen together with Delete (docs/migration.md has what was tried). Pure.
 */
import type { AnyObject } from '../../kube/client/client.ts';
import { at } from './fields.ts';
import { findGitOpsOwner } from './gitops.ts';
import { groupKindOf, refOf, textOfRef } from './resource-ref.ts';

const policy = ['spec', 'persistentVolumeClaimRetentionPolicy'] as const;

/** What is set together with replicas 0. */
export const claimGuard = { path: [...policy, 'whenScaled'], stopping: 'Retain' } as const;

export const isClaimGuard = ({ path }: { readonly path: readonly string[] }): boolean =>
  path.join('.') === claimGuard.path.join('.');

/** Whether scaling it down deletes claims. */
export const losesClaimsScaled = (object: AnyObject): boolean =>
  groupKindOf(object) === 'apps/StatefulSet' && at(object, claimGuard.path) === 'Delete';

/** Whether deleting it deletes claims. */
export const losesClaimsDeleted = (object: AnyObject): boolean =>
  groupKindOf(object) === 'apps/StatefulSet' && at(object, [...policy, 'whenDeleted']) === 'Delete';

/** Why not even the guard makes it safe to scale it down: somebody sets the field back. */
export function whyUnguarded(object: AnyObject): string | undefined {
  if (!losesClaimsScaled(object)) return undefined;
  const owner = findGitOpsOwner(object, 'Absent');
  if (owner === undefined) return undefined;
  return unguarded(object, `${owner} manages it`, 'in Git');
}

/** Why what makes such a StatefulSet must not be told to scale it down: it would set the guard back. */
export const whyUnguardedBelow = (object: AnyObject, above: AnyObject): string | undefined =>
  losesClaimsScaled(object)
    ? unguarded(object, `${textOfRef(refOf(above))} makes it`, `by ${above.kind.toLowerCase()}`)
    : undefined;

const unguarded = (object: AnyObject, why: string, where: string): string =>
  `${textOfRef(refOf(object))} deletes its claims when it is scaled down (persistentVolumeClaimRetentionPolicy.whenScaled), and ${why}: set it to Retain ${where} first`;
