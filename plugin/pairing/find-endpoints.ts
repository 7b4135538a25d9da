/** Where peers can reach this cluster's agent, for the admin who pairs. */
import { StorkError } from '../../kube/errors.ts';
import { findPairEndpoints } from '../../kube/find-pair-endpoints.ts';
import type { CommandContext } from '../command.ts';
import type { PairPlace } from './pair-place.ts';

/** @throws StorkError `NoEndpoint` when nothing is known or the agent isn't installed */
export async function findEndpoints(
  context: CommandContext,
  { client, context: named }: PairPlace,
): Promise<readonly string[]> {
  const found = await findPairEndpoints(client, context.signal);
  if (found === 'NotInstalled') {
    const hint = `Install it with: kubectl stork install --context ${named}`;
    throw new StorkError({ code: 'NoEndpoint', message: `the agent is not installed on ${named}`, hint });
  }
  if (found.length > 0) return found;
  const hint = 'Name an address that the other cluster can reach: --endpoint HOST:PORT';
  throw new StorkError({
    code: 'NoEndpoint',
    message: `no address of ${named} is known that a peer could reach`,
    hint,
  });
}

/** One side that can be dialled is enough, so knowing no address of the other one stops nothing. */
export async function findEndpointsIfAny(context: CommandContext, place: PairPlace): Promise<readonly string[]> {
  try {
    return await findEndpoints(context, place);
  } catch (error) {
    if (error instanceof StorkError && error.code === 'NoEndpoint') return [];
    throw error;
  }
}
