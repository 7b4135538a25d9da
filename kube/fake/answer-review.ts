/** TokenReviews and (Self)SubjectAccessReviews: created, answered, never stored. */
import type { AnyObject, Impersonation } from '../client/client.ts';
import { assertObject } from './admission.ts';
import type { FakeServerState } from './fake-api-server.ts';
import { at, type Fields, fieldsOf, frozenCopy, itemsOf } from './json-value.ts';
import type { ServedKind } from './served-kinds.ts';

export function answerReview(
  state: FakeServerState,
  caller: Impersonation,
  kind: ServedKind,
  input: unknown,
): AnyObject {
  const body = fieldsOf(frozenCopy(input));
  const spec = fieldsOf(body.spec);
  const metadata = { ...fieldsOf(body.metadata), name: String(at(body, 'metadata', 'name') ?? '') };
  const status =
    kind.resource.kind === 'TokenReview' ? tokenStatus(state, spec) : accessStatus(state, caller, kind, spec);
  return assertObject(frozenCopy({ ...body, kind: kind.resource.kind, metadata, status }));
}

function tokenStatus(state: FakeServerState, spec: Fields) {
  const asked = { token: String(spec.token ?? ''), audiences: itemsOf(spec.audiences).map(String) };
  return state.options.onTokenReview?.(asked) ?? { authenticated: false };
}

function accessStatus(state: FakeServerState, caller: Impersonation, kind: ServedKind, spec: Fields) {
  const { verb, group, resource, subresource, namespace, name } = fieldsOf(spec.resourceAttributes);
  const subject = { user: String(spec.user ?? ''), groups: itemsOf(spec.groups).map(String) };
  const optional = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  const verdict = state.options.authorize?.({
    identity: kind.resource.kind === 'SelfSubjectAccessReview' ? caller : subject,
    verb: String(verb ?? ''),
    group: String(group ?? ''),
    resource: String(resource ?? ''),
    subresource: optional(subresource),
    namespace: optional(namespace),
    name: optional(name),
  });
  return verdict === 'Deny' ? { allowed: false, reason: 'denied by the fake’s authorize' } : { allowed: true };
}
