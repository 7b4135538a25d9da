/** One end of a pair: the cluster, the ClusterPair's key, and what the grant allows there. */
import { agentNamespace, peerAccount } from '../../crds/agent-names.ts';
import type { ClusterPairGrant } from '../../crds/v1alpha1/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import type { Cluster, CommandContext } from '../command.ts';
import { choice, duration, text, texts } from '../flag.ts';

export interface PairPlace {
  readonly client: KubeClient;
  /** For messages. */
  readonly context: string;
  readonly namespace: string;
  readonly name: string;
}

export const grantFlags = {
  'grant-namespaces': texts({
    describes: "Namespaces of this cluster that may travel over the pair (default all but the system's).",
    value: 'NAMES',
    completes: 'Namespaces',
  }),
  'grant-direction': choice(['both', 'receive', 'send'], {
    describes: 'receive: the peer may write here; send: applications may leave.',
    default: 'both',
  }),
  'grant-cluster-kinds': texts({
    describes: 'Cluster-scoped kinds that the peer may write, as Kind.group.',
    value: 'KINDS',
  }),
  'grant-service-account': text({
    describes: "The account that the peer's objects are written as.",
    value: 'NAME',
    default: peerAccount,
  }),
} as const;

export const waitFlags = {
  timeout: duration({ describes: 'Wait no longer than this.', value: 'DURATION', default: '2m' }),
} as const;

export interface GrantChoice {
  readonly 'grant-namespaces': readonly string[];
  readonly 'grant-direction': 'both' | 'receive' | 'send';
  readonly 'grant-cluster-kinds': readonly string[];
  readonly 'grant-service-account': string;
}

export function grantOf(flags: GrantChoice): ClusterPairGrant {
  const directions = { both: ['Receive', 'Send'], receive: ['Receive'], send: ['Send'] } as const;
  const kinds = flags['grant-cluster-kinds'];
  return {
    namespaces: flags['grant-namespaces'].length === 0 ? ['*'] : flags['grant-namespaces'],
    directions: directions[flags['grant-direction']],
    clusterScopedKinds: kinds.length === 0 ? undefined : kinds,
    serviceAccount: flags['grant-service-account'],
  };
}

/** In words, for the admin who gives it. */
export function describeGrant({ namespaces, directions, serviceAccount }: ClusterPairGrant): string {
  const which = namespaces.includes('*') ? "all namespaces but the system's" : `namespaces ${namespaces.join(', ')}`;
  const ways = { Receive: `be received (written as ServiceAccount ${serviceAccount})`, Send: 'be sent' } as const;
  return `Granted: ${which} may ${directions.map((direction) => ways[direction]).join(' and ')}`;
}

/** Pairs live in the agent's namespace unless `-n` says otherwise. */
export function placeOf(context: CommandContext, cluster: Cluster, name: string): PairPlace {
  const namespace = context.givenNamespace ?? agentNamespace;
  return { client: cluster.client, context: cluster.context, namespace, name };
}

/** A context's name as an object's name: `admin@east` becomes `admin-east`. */
export function nameOfContext(context: string): string {
  const name = context
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  return name.slice(0, 200) || 'peer';
}
