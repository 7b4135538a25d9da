/** Waits for what the agent makes of a ClusterPair, telling its message when that changes. */
import { type ClusterPair, type Condition, clusterPairs } from '../../crds/v1alpha1/index.ts';
import { StorkError } from '../../kube/errors.ts';
import type { CommandContext } from '../command.ts';
import { followObject } from '../follow-object.ts';
import type { PairPlace } from './pair-place.ts';

export interface PairGoal<T> {
  /** For messages: `the invitation`. */
  readonly waitsFor: string;
  readonly condition: 'Invited' | 'Joined' | 'Ready';
  readonly timeoutMs: number;
  /** The result, once it is there. */
  reached(pair: ClusterPair): Promise<T | undefined> | T | undefined;
}

const tickMs = 500;

/** @throws StorkError `PairRefused` with the agent's reason; `StillWaiting` when the time is over */
export async function waitForPair<T>(context: CommandContext, place: PairPlace, goal: PairGoal<T>): Promise<T> {
  const { client, namespace, name } = place;
  const { clock, random } = context.ambient;
  const startedMs = clock.monotonicMs();
  const key = { namespace, name };
  let told = '';
  for await (const pair of followObject({
    client,
    resource: clusterPairs,
    key,
    clock,
    random,
    signal: context.signal,
    tickMs,
  })) {
    if (pair === undefined) {
      throw new StorkError({
        code: 'PairRefused',
        message: `the ClusterPair ${namespace}/${name} was deleted meanwhile`,
      });
    }
    const result = await goal.reached(pair);
    if (result !== undefined) return result;
    const condition = findCondition(pair, goal.condition);
    if (pair.status?.schedulerStatus === 'Error' && condition?.status === 'False') throw refused(place, condition);
    if (condition !== undefined && condition.message !== told && condition.status !== 'True') {
      told = condition.message;
      context.say(`${place.context}: ${told}`);
    }
    if (clock.monotonicMs() - startedMs > goal.timeoutMs) throw stillWaiting(place, goal.waitsFor, pair);
  }
  throw new StorkError({ code: 'StillWaiting', message: `stopped waiting for ${goal.waitsFor}` });
}

export function findCondition(pair: ClusterPair, type: string): Condition | undefined {
  return pair.status?.conditions?.find((condition) => condition.type === type);
}

function refused({ context, namespace, name }: PairPlace, condition: Condition): StorkError {
  const about = `ClusterPair ${namespace}/${name} on ${context}`;
  return new StorkError({ code: condition.reason, message: condition.message, about });
}

function stillWaiting(place: PairPlace, waitsFor: string, pair: ClusterPair): StorkError {
  const seen = pair.status === undefined ? '; no agent has picked the ClusterPair up' : '';
  return new StorkError({
    code: 'StillWaiting',
    message: `timed out waiting for ${waitsFor} (ClusterPair ${place.namespace}/${place.name} on ${place.context})${seen}`,
    hint: `See: kubectl stork get clusterpair ${place.name} -n ${place.namespace} -o yaml --context ${place.context}`,
  });
}
