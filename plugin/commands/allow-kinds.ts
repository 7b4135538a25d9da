/** `allow kinds [NAME...|--all]`: lets the agent read custom kinds, and peers write them; without names shows who may what. */
import { agentNamespace } from '../../crds/agent-names.ts';
import { core } from '../../kube/client/core.ts';
import { isForbidden, StorkError } from '../../kube/errors.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { dryRuns } from '../create-object.ts';
import { choice, toggle } from '../flag.ts';
import { applyObjects, refuseForeign } from '../install/apply-install.ts';
import { agentKindsRole, type KindRights, observeKinds, peerKindsRole, planKindRoles } from '../install/kind-rights.ts';
import { renderStructure } from '../output/print-objects.ts';
import { renderTable } from '../output/render-table.ts';

export const allowKinds = defineCommand({
  words: [['allow'], ['kinds', 'kind']],
  summary: 'Gives the agent the rights on custom kinds; without names shows what it may read.',
  explains:
    'Custom kinds are those that CustomResourceDefinitions define: install can not know them. The agent may then read, stop and start them, and peers may write them here, each kind by its name, in ClusterRoles that are aggregated to theirs. Run it on both clusters. Kinds that are defined later need it again.',
  positionals: { shown: '[PLURAL.GROUP...]', min: 0, max: 500 },
  flags: {
    all: toggle({ describes: 'All namespaced custom kinds that are here now, except those of storage machinery.' }),
    'dry-run': choice(dryRuns, {
      describes: 'client: print the ClusterRoles; server: ask the server without keeping them.',
      bare: 'client',
      default: 'none',
    }),
  },
  examples: [
    'kubectl stork allow kinds',
    'kubectl stork allow kinds kafkas.kafka.strimzi.io --context east',
    'kubectl stork allow kinds --all --dry-run=client',
  ],
  async run(context, { positionals, flags }) {
    const { client, context: named } = await context.cluster();
    const kinds = await observeKinds(client, context.givenNamespace ?? agentNamespace, context.signal);
    if (positionals.length === 0 && !flags.all) {
      context.print(describeKinds(kinds, named));
      return 0;
    }
    const chosen = flags.all ? kinds : positionals.map((name) => getKind(kinds, name, named));
    if (chosen.length === 0) {
      context.print(`No custom kinds on ${named} that applications consist of`);
      return 0;
    }
    await giveRights(context, chosen, flags['dry-run']);
    return 0;
  },
});

/** Adds to what was given before. */
export async function giveRights(
  context: CommandContext,
  kinds: readonly KindRights[],
  dryRun: (typeof dryRuns)[number],
): Promise<void> {
  const { client } = await context.cluster();
  const { signal } = context;
  const found = await Promise.all(
    [agentKindsRole, peerKindsRole].map((name) => client.find(core.clusterRoles, { name }, { signal })),
  );
  const objects = planKindRoles(
    kinds,
    found.filter((role) => role !== undefined),
  );
  if (dryRun === 'client') {
    context.print(objects.map((object) => renderStructure(object, 'yaml')).join('\n---\n'));
    return;
  }
  const work = { client, clock: context.ambient.clock, signal, tell: context.print };
  await refuseForeign(work, objects);
  await applyObjects(work, objects, dryRun === 'server' ? 'All' : undefined);
}

/** What the user can do about kinds that the agent may not read; `undefined`: nothing, or the user may not ask. */
export async function adviseKinds(context: CommandContext): Promise<string | undefined> {
  const { client } = await context.cluster();
  try {
    const kinds = await observeKinds(client, context.givenNamespace ?? agentNamespace, context.signal);
    const lacking = kinds.filter(({ agent, peers }) => agent === 'No' || peers === 'No').map(({ name }) => name);
    if (lacking.length === 0) return undefined;
    const more = lacking.length > namesShown ? ` and ${lacking.length - namesShown} more` : '';
    const [what, them] = lacking.length === 1 ? ['1 custom kind', 'it'] : [`${lacking.length} custom kinds`, 'them'];
    return `The agent lacks rights on ${what}, migrations can't take ${them} along: ${lacking.slice(0, namesShown).join(', ')}${more} (kubectl stork allow kinds --all)`;
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

const namesShown = 5;

function describeKinds(kinds: readonly KindRights[], cluster: string): string {
  if (kinds.length === 0) return `No custom kinds on ${cluster} that applications consist of`;
  const rows = kinds.map(({ name, agent, peers }) => [name, agent, peers]);
  return renderTable(['KIND', 'AGENT READS', 'PEERS WRITE'], rows);
}

function getKind(kinds: readonly KindRights[], name: string, cluster: string): KindRights {
  const found = kinds.find((kind) => kind.name === name.toLowerCase());
  if (found !== undefined) return found;
  throw new StorkError({
    code: 'NoSuchKind',
    message: `${cluster} has no custom kind ${name} that applications consist of`,
    hint: 'It is PLURAL.GROUP of a namespaced CustomResourceDefinition: kubectl stork allow kinds lists them.',
  });
}
