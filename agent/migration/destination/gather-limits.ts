/** Reads the ResourceQuotas and LimitRanges of namespaces, for decide-quota. */
import type { KubeClient } from '../../../kube/client/client.ts';
import { core, type LimitRange, type ResourceQuota } from '../../../kube/client/core.ts';
import { mapLimit } from '../../../kube/runtime/map-limit.ts';
import type { ClaimAnswer, IncomingVolume } from '../messages.ts';
import { demandOfClaims, findExceeded, findMisfits } from './decide-quota.ts';

export interface NamespaceLimits {
  readonly namespace: string;
  readonly quotas: readonly ResourceQuota[];
  readonly ranges: readonly LimitRange[];
}

const parallelReads = 8;

export function gatherLimits(
  client: KubeClient,
  namespaces: readonly string[],
  signal?: AbortSignal,
): Promise<readonly NamespaceLimits[]> {
  return mapLimit(
    [...new Set(namespaces)],
    parallelReads,
    async (namespace, stop) => ({
      namespace,
      quotas: await Array.fromAsync(client.list(core.resourceQuotas, { namespace, signal: stop })),
      ranges: await Array.fromAsync(client.list(core.limitRanges, { namespace, signal: stop })),
    }),
    signal,
  );
}

/** What of the new claims the API server would refuse at their hand-over, when they are filled and verified: told before. */
export async function findClaimProblems(
  client: KubeClient,
  claims: readonly { readonly incoming: IncomingVolume; readonly answer: ClaimAnswer }[],
  signal?: AbortSignal,
): Promise<readonly { readonly code: string; readonly message: string; readonly hint: string }[]> {
  const fresh = claims
    .filter(({ answer }) => answer.decision === 'fill')
    .map(({ incoming, answer }) => ({
      namespace: incoming.namespace,
      name: incoming.name,
      sizeBytes: BigInt(incoming.sizeBytes),
      storageClass: answer.storageClass,
    }));
  const limits = await gatherLimits(
    client,
    fresh.map(({ namespace }) => namespace),
    signal,
  );
  return limits.flatMap(({ namespace, quotas, ranges }) => {
    const here = fresh.filter((claim) => claim.namespace === namespace);
    const exceeded = findExceeded(quotas, demandOfClaims(here)).map(({ message }) => ({
      code: 'QuotaExceeded',
      message: `On the destination ${message}`,
      hint: 'Raise the quota there, or migrate fewer volumes.',
    }));
    const misfits = findMisfits(ranges, here).map((message) => ({
      code: 'LimitRangeExceeded',
      message: `On the destination ${message}`,
      hint: 'Change the LimitRange there, or leave the claim out.',
    }));
    return [...exceeded, ...misfits];
  });
}
