/**
 * What a refused write means for the object: a result with a reason a person can act on, `Repeat` when trying again is
 * right, `Throw` when it says nothing about the object. Pure; reads the Status, never the message's words.
 */
import { allowKindsCommand } from '../../../crds/custom-kinds.ts';
import { ApiError, isNotFound, StorkError } from '../../../kube/errors.ts';
import { isBuiltInGroup } from '../resource-ref.ts';

export type Refusal = { readonly result: 'Conflict' | 'Failed'; readonly reason: string } | 'Repeat' | 'Throw';

const causesShown = 5;

export function describeRefusal(error: unknown): Refusal {
  if (!(error instanceof ApiError)) return error instanceof StorkError && error.retryable ? 'Repeat' : 'Throw';
  const causes = error.status.details?.causes ?? [];
  if (error.code === 'Conflict') {
    const owned = causes.filter((cause) => cause.reason === 'FieldManagerConflict');
    if (owned.length === 0) return 'Repeat';
    return { result: 'Conflict', reason: `fields that others own are left: ${listed(owned)}; ${setItThere}` };
  }
  if (error.retryable || isUnserved(error)) return 'Repeat';
  const details = causes.length === 0 ? error.message : listed(causes);
  const reason = `${reasons[error.code] ?? `refused (${error.code})`}: ${details}`;
  return { result: 'Failed', reason: `${reason}${adviceFor(error)}` };
}

/**
 * An object is written whole or not at all: half of what the source says, beside what somebody here insists on, may fit
 * neither. Nothing is ever taken over by force; whose value is equal is no conflict, and both own it then.
 */
const setItThere =
  "nothing of the object was changed. To bring it, set these fields on the destination to the source's values with what set them there (the manifest that kubectl applies, the values of its Helm chart), and migrate again";

/** An installation gives rights on Kubernetes' own kinds only. */
function adviceFor({ code, status }: ApiError): string {
  const { group = '', kind = '' } = status.details ?? {};
  const isCustom = !isBuiltInGroup(group) && !group.endsWith('.openshift.io');
  return code === 'Forbidden' && isCustom
    ? `; where rights are missing, an admin there gives them: ${allowKindsCommand} ${kind}.${group}`
    : '';
}

/** A path that the server does not know, yet: the CRD of its kind was made a moment ago. */
export const isUnserved = (error: unknown): boolean => isNotFound(error) && error.status.details === undefined;

const reasons: Readonly<Record<string, string>> = {
  Invalid: 'the destination does not accept it',
  // Quotas, Pod Security and admission plugins answer Forbidden as RBAC does; which of them it was, the details say.
  Forbidden: "the destination forbids it to the grant's ServiceAccount",
  NotFound: 'its namespace or kind is not there',
  BadRequest: 'the destination does not understand it',
};

function listed(causes: readonly { readonly field?: string; readonly message?: string }[]): string {
  const shown = causes.slice(0, causesShown).map(({ field, message }) => [field, message].filter(Boolean).join(' '));
  const more = causes.length > causesShown ? `; and ${causes.length - causesShown} more` : '';
  return `${shown.join('; ')}${more}`;
}
