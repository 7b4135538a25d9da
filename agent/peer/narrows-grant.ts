/**
 * Whether an edited grant allows less than before. What was open under the wider grant must then end at once: requests are
 * checked one by one, but a stream is only checked when it is opened. Pure.
 */
import { grantCovers } from './grant-covers.ts';
import type { PeerGrant } from './peer.ts';

export function narrowsGrant(before: PeerGrant, now: PeerGrant): 'Yes' | 'No' {
  const lost = (had: readonly string[], has: readonly string[]) => had.some((one) => !has.includes(one));
  const narrower =
    (before.namespaces.includes('*') && !now.namespaces.includes('*')) ||
    before.namespaces.some((one) => one !== '*' && !grantCovers(now.namespaces, one)) ||
    lost(before.directions, now.directions) ||
    lost(before.clusterScopedKinds, now.clusterScopedKinds) ||
    before.serviceAccount !== now.serviceAccount;
  return narrower ? 'Yes' : 'No';
}
