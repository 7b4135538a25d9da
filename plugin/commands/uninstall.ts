/** `uninstall`: takes the agent away. Pairs and migrations stay as objects unless `--crds` says otherwise. */
import { agentNamespace } from '../../crds/agent-names.ts';
import { migrations } from '../../crds/v1alpha1/index.ts';
import { isNotFound, StorkError } from '../../kube/errors.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { duration, toggle } from '../flag.ts';
import { defaultInstallChoices } from '../install/install-choices.ts';
import { planKindRoles } from '../install/kind-rights.ts';
import { planInstall } from '../install/plan-install.ts';
import { planWebhooks } from '../install/plan-webhook.ts';
import { deleteOurObjects, removeObjects, removePairBindings } from '../install/remove-install.ts';

export const uninstall = defineCommand({
  words: [['uninstall']],
  summary: 'Removes the agent from the cluster.',
  explains:
    'Your applications and their volumes are not touched. Migrations, pairs and rules stay, unless --crds deletes their kinds with them; the namespace stays with --keep-namespace.',
  flags: {
    crds: toggle({ describes: 'Delete our kinds too, with every object of them.' }),
    'keep-namespace': toggle({
      describes: "Keep the agent's namespace with its Secrets: pairs survive a new install.",
    }),
    timeout: duration({ describes: 'How long --crds waits for objects to go.', value: 'DURATION', default: '1m' }),
    force: toggle({ describes: 'Also while migrations run; they stay unfinished.' }),
  },
  async run(context, { flags }) {
    const { client } = await context.cluster();
    const namespace = context.givenNamespace ?? agentNamespace;
    if (!flags.force) await refuseWhileRunning(context);
    const work = { client, clock: context.ambient.clock, signal: context.signal, tell: context.print };
    // First, so that no request ever waits for an agent that is gone.
    await removeObjects(work, planWebhooks(namespace));
    // While the agent still lives, so that it can let its finalizers go.
    if (flags.crds) await deleteOurObjects(work, flags.timeout);
    await removePairBindings(work);
    const kept = new Set([
      ...(flags.crds ? [] : ['CustomResourceDefinition']),
      ...(flags['keep-namespace'] ? ['Namespace'] : []),
    ]);
    const plan = [...planInstall({ ...defaultInstallChoices, namespace }), ...planKindRoles([])];
    await removeObjects(
      work,
      [...plan].reverse().filter(({ kind }) => !kept.has(kind)),
    );
    return 0;
  },
});

async function refuseWhileRunning(context: CommandContext): Promise<void> {
  const { client } = await context.cluster();
  try {
    for await (const { metadata, status } of client.list(migrations, { signal: context.signal })) {
      if (status?.stage === 'Final' || status?.stage === 'Planned') continue;
      throw new StorkError({
        code: 'MigrationRunning',
        message: `migration ${metadata.namespace}/${metadata.name} is under way`,
        hint: 'Wait for it, delete it, or leave it unfinished with --force.',
      });
    }
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
