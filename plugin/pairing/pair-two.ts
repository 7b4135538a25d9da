/**
 * Both ends of a pair from one terminal, confirmation included, since it sees both fingerprints. What was made is removed
 * again when something fails before the pair is confirmed; a confirmed pair becomes Ready without us.
 */
import { type ClusterPairGrant, type ClusterPairSpecInput, clusterPairs } from '../../crds/v1alpha1/index.ts';
import { StorkError } from '../../kube/errors.ts';
import type { CommandContext } from '../command.ts';
import type { PairPlace } from './pair-place.ts';
import { confirm, invite, join, waitForJoiner, waitUntilReady } from './pair-steps.ts';

export interface PairEnd {
  /** What the person calls this cluster. */
  readonly called: string;
  readonly place: PairPlace;
  readonly grant: ClusterPairGrant;
  readonly platformOptions?: ClusterPairSpecInput['platformOptions'];
}

export interface PairTwoRequest {
  /** Uses the code of the other. */
  readonly joining: PairEnd;
  readonly accepting: PairEnd;
  /** At which `joining` reaches `accepting`. */
  readonly endpoints: readonly string[];
  /** The other way round, if anywhere. */
  readonly back: readonly string[];
  readonly timeoutMs: number;
}

/** The code is used at once; this covers a slow agent. */
const ttlSeconds = 600;

/** @throws StorkError as the steps do, `OtherFingerprint` */
export async function pairTwo(context: CommandContext, request: PairTwoRequest): Promise<void> {
  const removals: (() => Promise<void>)[] = [];
  try {
    await makeBothEnds(context, request, (removal) => void removals.unshift(removal));
  } catch (error) {
    for (const remove of removals) await remove();
    throw error;
  }
  for (const { place } of [request.accepting, request.joining]) await waitUntilReady(context, place, request.timeoutMs);
}

async function makeBothEnds(
  context: CommandContext,
  { joining, accepting, endpoints, back, timeoutMs }: PairTwoRequest,
  onMade: (removal: () => Promise<void>) => void,
): Promise<void> {
  const { grant, platformOptions } = accepting;
  const code = await invite(context, accepting.place, { endpoints, ttlSeconds, grant, platformOptions, timeoutMs });
  onMade(await removalOf(context, accepting));
  context.print(`${accepting.called}: invitation made, reachable at ${endpoints.join(', ')}`);
  const fingerprint = await join(context, joining.place, { ...joining, code, endpoints: back, timeoutMs });
  onMade(await removalOf(context, joining));
  const reachable = back.length === 0 ? '' : `, reachable at ${back.join(', ')}`;
  context.print(`${joining.called}: joined as ${fingerprint}${reachable}`);
  const pair = await waitForJoiner(context, accepting.place, timeoutMs);
  const seen = pair.status?.peer?.fingerprint ?? '';
  if (seen !== fingerprint) throw otherFingerprint({ seen, fingerprint, accepting: accepting.called });
  await confirm(context, accepting.place, pair);
  context.print(`${accepting.called}: confirmed ${seen}`);
}

/** Of the ClusterPair that is there now and of no later one. Also when interrupted, so without the command's signal. */
async function removalOf(context: CommandContext, { called, place }: PairEnd): Promise<() => Promise<void>> {
  const { client, namespace, name } = place;
  const { uid } = (await client.get(clusterPairs, { namespace, name })).metadata;
  return async () => {
    try {
      await client.delete(clusterPairs, { namespace, name }, { uid });
      context.say(`${called}: ClusterPair ${namespace}/${name} removed again`);
    } catch {
      // The failure that led here is the one to tell.
      context.say(`${called}: ClusterPair ${namespace}/${name} could not be removed again: delete it`);
    }
  };
}

function otherFingerprint(seen: {
  readonly seen: string;
  readonly fingerprint: string;
  readonly accepting: string;
}): StorkError {
  return new StorkError({
    code: 'OtherFingerprint',
    message: `${seen.accepting} was joined by ${seen.seen}, not by ${seen.fingerprint}: somebody stands between the clusters`,
    hint: 'The pair was not confirmed. Look at the network between the clusters before you try again.',
  });
}
