/** Where the test bed keeps its files: the state of the running bed, and a cache that outlives it. Both lie outside the checkout. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type BedPlan, bedNumbers, type ClusterName, planBed } from './plan.ts';

export interface Places {
  /** Everything of the running bed; `down` removes it whole. */
  readonly state: string;
  /** Binaries and images; kept by `down`. */
  readonly cache: string;
}

export function findPlaces(env: NodeJS.ProcessEnv = process.env): Places {
  const cacheHome = env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return {
    state: env.STORK_TESTBED_STATE ?? join('/var/lib', thisBed(env).name),
    cache: env.STORK_TESTBED_CACHE ?? join(cacheHome, 'stork-testbed'),
  };
}

/** The bed that STORK_TESTBED_NUMBER chooses; the first by default. */
export function thisBed(env: NodeJS.ProcessEnv = process.env): BedPlan {
  const text = env.STORK_TESTBED_NUMBER ?? '1';
  const number = bedNumbers.find((known) => String(known) === text);
  if (number === undefined) throw new Error(`STORK_TESTBED_NUMBER=${text}: it is ${bedNumbers.join(', ')} or not set`);
  return planBed(number);
}

export function clusterPlace(places: Places, cluster: ClusterName): string {
  return join(places.state, 'clusters', cluster);
}

export function nodePlace(places: Places, node: string): string {
  return join(places.state, 'nodes', node);
}

export function logPlace(places: Places): string {
  return join(places.state, 'logs');
}

/** The kubeconfig of one cluster, or of both (contexts `a` and `b`). */
export function kubeconfigPlace(places: Places, cluster?: ClusterName): string {
  return join(places.state, cluster === undefined ? 'kubeconfig' : `kubeconfig-${cluster}`);
}
