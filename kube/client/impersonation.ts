/** Acting as somebody else: the identity as request headers. */
import { StorkError } from '../errors.ts';
import type { Impersonation } from './client.ts';
import type { ImpersonationHeaders } from './transport.ts';

/** @throws StorkError for an identity that HTTP headers can't carry */
export function impersonationHeaders({ user, groups, uid }: Impersonation): ImpersonationHeaders {
  for (const value of [user, uid ?? '', ...(groups ?? [])]) {
    if (/^[\x20-\x7e]*$/.test(value)) continue;
    const message = 'An identity to act as has characters that HTTP headers can’t carry.';
    throw new StorkError({ code: 'ImpersonationInvalid', message, about: JSON.stringify(value) });
  }
  return {
    'impersonate-user': user,
    ...(groups === undefined || groups.length === 0 ? {} : { 'impersonate-group': groups }),
    ...(uid === undefined ? {} : { 'impersonate-uid': uid }),
  };
}
