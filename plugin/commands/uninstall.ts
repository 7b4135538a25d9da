/** `uninstall`: takes the agent away. Pairs and migrations stay as objects unless `--crds` says otherwise. */
import { migrations } from '../../crds/v1alpha1/index.ts';
import { isNotFound, StorkError } from '../../kube/errors.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { toggle } from '../flag.ts';
import { defaultInstallChoices } from '../install/install-choices.ts';
import { agentNamespace } from '../install/names.ts';
import { planInstall } from '../install/plan-install.ts';
import { resourceOfObject } from '../install/resource-of-object.ts';

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
    force: toggle({ describes: 'Also while migrations run; they stay unfinished.' }),
  },
  async run(context, { flags }) {
    const { client } = await context.cluster();
    const signal = context.signal;
    const namespace = context.givenNamespace ?? agentNamespace;
    if (!flags.force) await refuseWhileRunning(context);
    const plan = planInstall({ ...defaultInstallChoices, namespace });
    for (const object of [...plan].reverse()) {
      const isCrd = object.kind === 'CustomResourceDefinition';
      if ((isCrd && !flags.crds) || (object.kind === 'Namespace' && flags['keep-namespace'])) continue;
      const { name, namespace: place } = object.metadata;
      const found = await client.delete(resourceOfObject(object), { name, namespace: place }, { signal });
      if (found !== undefined) context.print(`${object.kind} ${name} deleted`);
    }
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
