/**
 * `create clusterpair`: Stork's command. With two kubeconfigs it pairs both clusters by invitation, so that no credential
 * is left in any object; with `-f FILE` it creates what the file describes, Stork's manifests too.
 */
import { agentNamespace, peerAccount } from '../../crds/agent-names.ts';
import { type ClusterPairGrant, clusterPairs } from '../../crds/v1alpha1/index.ts';
import { core } from '../../kube/client/core.ts';
import { isAlreadyExists, StorkError } from '../../kube/errors.ts';
import { checkName, checkNamespace } from '../check-names.ts';
import { type Arguments, type Cluster, type CommandContext, defineCommand } from '../command.ts';
import { createObject, creationFlags, fileFlag, readObject } from '../create-object.ts';
import { clusterPairView } from '../output/views/cluster-pair-view.ts';
import { checkKubeconfigFiles } from '../pairing/check-kubeconfig-files.ts';
import { findEndpoints, findEndpointsIfAny } from '../pairing/find-endpoints.ts';
import { nameOfContext, waitFlags } from '../pairing/pair-place.ts';
import { type PairEnd, pairTwo } from '../pairing/pair-two.ts';
import { parseEndpoint } from '../pairing/parse-endpoint.ts';
import { refusedPairFlags, refusePairFlags, storkPairFlags } from '../pairing/stork-pair-flags.ts';

const flags = { ...storkPairFlags, ...refusedPairFlags, ...creationFlags, ...waitFlags, file: fileFlag } as const;

type Args = Arguments<typeof flags>;

export const createClusterPair = defineCommand({
  words: [['create'], clusterPairView.words],
  summary: 'Pairs two clusters that you have kubeconfigs of, or creates a cluster pair from a file.',
  explains:
    "The kubeconfigs are used from here only: the pair is made by invitation, and its volumes travel over its own link. Stork's flags for storage tokens and object stores (--provider, --bucket and the like) are refused by name.",
  positionals: { shown: '[NAME]', min: 0, max: 1 },
  flags,
  examples: [
    'kubectl stork create clusterpair remote -n shop --src-kube-file east.yaml --dest-kube-file west.yaml',
    'kubectl stork create clusterpair remote -n shop --src-kube-file east.yaml --dest-kube-file west.yaml -u',
    'kubectl stork create clusterpair -n shop -f clusterpair.yaml',
  ],
  async run(context, args) {
    return args.flags.file === undefined ? await pairByFiles(context, args) : await createFromFile(context, args);
  },
});

async function createFromFile(context: CommandContext, { flags: given, positionals }: Args): Promise<number> {
  if (positionals.length > 0)
    throw new StorkError({ code: 'BadUsage', message: 'a file names its ClusterPair itself: leave the name out' });
  const found = await readObject(clusterPairs, given.file ?? '', context);
  const namespace = context.givenNamespace ?? found.metadata.namespace ?? (await context.cluster()).namespace;
  const object = { ...found, metadata: { ...found.metadata, namespace } };
  await createObject(clusterPairView, context, {
    object,
    dryRun: given['dry-run'],
    format: given.output,
    says: `ClusterPair ${object.metadata.name} created successfully`,
  });
  return 0;
}

async function pairByFiles(context: CommandContext, args: Args): Promise<number> {
  const { flags: given, positionals } = args;
  const [name] = positionals;
  if (name === undefined)
    throw new StorkError({ code: 'BadUsage', message: 'exactly one name needs to be provided for clusterpair name' });
  const namespace = context.givenNamespace ?? 'default';
  checkName(name);
  checkNamespace(namespace);
  refusePairFlags(args.given);
  refuseFileFlags(args.given);
  const [there, here] = [endpointOf('dest-ep', given['dest-ep']), endpointOf('src-ep', given['src-ep'])];
  const files = await checkKubeconfigFiles(given['src-kube-file'], given['dest-kube-file']);
  const [source, destination] = [
    await context.clusterOfFile(files.source),
    await context.clusterOfFile(files.destination),
  ];
  const ends = planEnds({ name, namespace, source, destination, args });
  const endpoints = there ?? (await findEndpoints(context, ends.accepting.place));
  const back = here ?? (await findEndpointsIfAny(context, ends.joining.place));
  for (const [called, cluster] of [
    ['source', source],
    ['destination', destination],
  ] as const)
    await ensureNamespace(context, { called, cluster, namespace });
  await pairTwo(context, { ...ends, endpoints, back, timeoutMs: given.timeout });
  context.print(`ClusterPair ${name} created successfully. Direction Source -> Destination`);
  if (!given.unidirectional)
    context.print(`Cluster pair ${name} created successfully. Direction: Destination -> Source`);
  return 0;
}

const endpointOf = (flag: string, given: string | undefined) =>
  given === undefined ? undefined : [parseEndpoint(flag, given)];

/** What only means something with `-f`. */
function refuseFileFlags(given: ReadonlySet<string>): void {
  const stray = ['dry-run', 'output'].find((flag) => given.has(flag));
  if (stray === undefined) return;
  throw new StorkError({ code: 'BadUsage', message: `--${stray} goes with -f FILE only` });
}

interface EndsRequest {
  readonly name: string;
  readonly namespace: string;
  readonly source: Cluster;
  readonly destination: Cluster;
  readonly args: Args;
}

/** One way: the destination's end has no business in the namespace of the application, nor a name that it would use. */
function planEnds({ name, namespace, source, destination, args }: EndsRequest): {
  readonly joining: PairEnd;
  readonly accepting: PairEnd;
} {
  const { unidirectional, 'project-mappings': projects } = args.flags;
  const inbound = { namespace: agentNamespace, name: `${name}-from-${nameOfContext(source.context)}`.slice(0, 253) };
  const reversed = Object.fromEntries(Object.entries(projects).map(([here, there]) => [there, here]));
  return {
    joining: {
      called: 'source',
      place: { client: source.client, context: source.context, namespace, name },
      grant: grantFor(namespace, unidirectional ? ['Send'] : ['Receive', 'Send']),
      platformOptions: platformOptions(projects),
    },
    accepting: {
      called: 'destination',
      place: {
        client: destination.client,
        context: destination.context,
        ...(unidirectional ? inbound : { namespace, name }),
      },
      grant: grantFor(namespace, unidirectional ? ['Receive'] : ['Receive', 'Send']),
      platformOptions: platformOptions(reversed),
    },
  };
}

/** As far as Stork's pairs reach: the namespace they are in, or all of them for the admin's. */
function grantFor(namespace: string, directions: ClusterPairGrant['directions']): ClusterPairGrant {
  const namespaces = namespace === agentNamespace ? ['*'] : [namespace];
  return { namespaces, directions, clusterScopedKinds: undefined, serviceAccount: peerAccount };
}

const platformOptions = (projectMappings: Readonly<Record<string, string>>) =>
  Object.keys(projectMappings).length === 0 ? undefined : { rancher: { projectMappings } };

async function ensureNamespace(
  { signal, say }: CommandContext,
  { called, cluster, namespace }: { readonly called: string; readonly cluster: Cluster; readonly namespace: string },
): Promise<void> {
  const { client } = cluster;
  if ((await client.find(core.namespaces, { name: namespace }, { signal })) !== undefined) return;
  try {
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
    await client.create(core.namespaces, object, { fieldManager: 'kubectl-stork', signal });
    say(`${called}: namespace ${namespace} created`);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
