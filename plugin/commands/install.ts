/** `install`: brings the agent, its kinds and its permissions into a cluster; repeatable, and printable instead. */
import { agentName, agentNamespace, pairNodePort } from '../../crds/agent-names.ts';
import { StorkError } from '../../kube/errors.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { dryRuns } from '../create-object.ts';
import { choice, duration, text, texts, toggle, wholeNumber } from '../flag.ts';
import { applyObjects, type InstallWork, refuseForeign, waitForAgent } from '../install/apply-install.ts';
import { findGoStork } from '../install/find-go-stork.ts';
import { findMisfits } from '../install/find-misfits.ts';
import { defaultInstallChoices } from '../install/install-choices.ts';
import { observeKinds } from '../install/kind-rights.ts';
import { planInstall } from '../install/plan-install.ts';
import { waitForWebhook } from '../install/wait-for-webhook.ts';
import { outputFlag } from '../output/output-format.ts';
import { renderStructure } from '../output/print-objects.ts';
import { parseEndpoints } from '../pairing/parse-endpoint.ts';
import { adviseKinds, giveRights } from './allow-kinds.ts';

export const install = defineCommand({
  words: [['install']],
  summary: 'Installs the agent into the cluster, or brings an installed one up to date.',
  explains:
    'Server-side apply of our own objects only; refuses beside a live Go Stork. With --dry-run=client -o yaml it prints them and asks no server.',
  flags: {
    image: text({ describes: "The agent's image (default stork-agent:VERSION).", value: 'REF' }),
    'image-pull-policy': choice(['IfNotPresent', 'Always', 'Never'], {
      describes: 'When the image is pulled.',
      default: 'IfNotPresent',
    }),
    'image-pull-secret': texts({ describes: 'Secrets to pull it with.', value: 'NAMES' }),
    replicas: wholeNumber({
      describes:
        'Agents: one leads, the others stand by and answer admission too. With 1, creating waits while it restarts.',
      default: defaultInstallChoices.replicas,
    }),
    'cluster-name': text({
      describes: "What peers see as this cluster's name (default: the context's).",
      value: 'NAME',
    }),
    'pair-endpoint': texts({
      describes: 'HOST:PORT at which peers reach this cluster (default: found).',
      value: 'HOST:PORT',
    }),
    'pair-service': choice(['NodePort', 'LoadBalancer', 'ClusterIP'], {
      describes: 'How peers get in.',
      default: 'NodePort',
    }),
    'pair-node-port': wholeNumber({ describes: 'The port on every node.', default: pairNodePort }),
    'kubeconfig-server': texts({
      describes: 'API servers that ClusterPairs with a kubeconfig may name although their address looks internal.',
      value: 'HOST|CIDR',
    }),
    'peer-cluster-role': texts({ describes: 'ClusterRoles for peers besides their own, e.g. admin.', value: 'NAMES' }),
    'allow-kinds': toggle({
      describes: 'Also give the rights on all custom kinds that are here now, as allow kinds --all.',
    }),
    'dry-run': choice(dryRuns, {
      describes: 'client: only print; server: ask the server without keeping anything.',
      bare: 'client',
      default: 'none',
    }),
    output: outputFlag(),
    wait: toggle({ describes: 'Wait until the agent is ready.', default: true }),
    timeout: duration({ describes: 'Wait no longer than this.', value: 'DURATION', default: '3m' }),
  },
  examples: [
    'kubectl stork install',
    'kubectl stork install --dry-run=client -o yaml > stork.yaml',
    'kubectl stork install --context west --pair-endpoint stork.example.org:30443',
  ],
  async run(context, { flags }) {
    const namespace = context.givenNamespace ?? agentNamespace;
    const printsOnly = flags['dry-run'] === 'client';
    const objects = planInstall({
      ...defaultInstallChoices,
      namespace,
      image: flags.image ?? `stork-agent:${context.ambient.version}`,
      imagePullPolicy: flags['image-pull-policy'],
      imagePullSecrets: flags['image-pull-secret'],
      replicas: flags.replicas,
      clusterName: flags['cluster-name'] ?? (printsOnly ? 'cluster' : (await context.cluster()).context),
      pairService: flags['pair-service'],
      pairNodePort: flags['pair-node-port'],
      pairEndpoints: parseEndpoints('pair-endpoint', flags['pair-endpoint']),
      kubeconfigServers: flags['kubeconfig-server'],
      peerClusterRoles: flags['peer-cluster-role'],
    });
    if (printsOnly) {
      const format = flags.output.kind === 'json' ? 'json' : 'yaml';
      context.print(renderAll(objects, format));
      return 0;
    }
    const work = await prepare(context);
    await refuseGoStork(work);
    await refuseForeign(work, objects);
    for (const misfit of await findMisfits(work.client, work.signal))
      context.say(`Warning: doesn't fit our schema: ${misfit}`);
    await applyObjects(work, objects, flags['dry-run'] === 'server' ? 'All' : undefined);
    await settleKinds(context, { give: flags['allow-kinds'], namespace, dryRun: flags['dry-run'] });
    if (!flags.wait || flags['dry-run'] === 'server') return 0;
    await waitForAgent(work, { namespace, name: agentName, timeoutMs: flags.timeout });
    await waitForWebhook(work, { namespace, timeoutMs: flags.timeout });
    context.print(`The agent is ready in namespace ${namespace}`);
    return 0;
  },
});

/** Custom kinds are here or not: their rights are given when asked for, else offered. */
async function settleKinds(
  context: CommandContext,
  of: { readonly give: boolean; readonly namespace: string; readonly dryRun: 'none' | 'client' | 'server' },
): Promise<void> {
  if (of.give) {
    const { client } = await context.cluster();
    const kinds = await observeKinds(client, of.namespace, context.signal);
    if (kinds.length > 0) await giveRights(context, kinds, of.dryRun);
    return;
  }
  const advice = of.dryRun === 'none' ? await adviseKinds(context) : undefined;
  if (advice !== undefined) context.say(`Note: ${advice}`);
}

async function prepare(context: CommandContext): Promise<InstallWork> {
  const { client } = await context.cluster();
  return { client, clock: context.ambient.clock, signal: context.signal, tell: context.print };
}

async function refuseGoStork({ client, signal }: InstallWork): Promise<void> {
  const found = await findGoStork(client, signal);
  if (found === undefined) return;
  const [namespace = '', name = ''] = found.split('/');
  throw new StorkError({
    code: 'GoStorkIsRunning',
    message: `a Go Stork is running here (Deployment ${found}); both would work on the same objects`,
    hint: `Stop it first: kubectl -n ${namespace} scale deployment ${name} --replicas=0   (and back the same way)`,
  });
}

function renderAll(objects: readonly unknown[], format: 'json' | 'yaml'): string {
  if (format === 'json') return renderStructure({ apiVersion: 'v1', kind: 'List', items: objects }, 'json');
  return objects.map((object) => renderStructure(object, 'yaml')).join('\n---\n');
}
