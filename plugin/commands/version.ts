/** `version`: ours, and the agent's in the cluster. */
import { agentName, agentNamespace } from '../../crds/agent-names.ts';
import { core } from '../../kube/client/core.ts';
import { defineCommand } from '../command.ts';
import { toggle } from '../flag.ts';

export const version = defineCommand({
  words: [['version']],
  summary: "Shows this tool's version and the agent's.",
  flags: { client: toggle({ describes: "Only this tool's; asks no server." }) },
  async run(context, { flags }) {
    context.print(`Client Version: ${context.ambient.version}`);
    if (flags.client) return 0;
    const { client } = await context.cluster();
    const options = { signal: context.signal };
    const key = { namespace: context.givenNamespace ?? agentNamespace, name: agentName };
    const agent = await client.find(core.deployments, key, options);
    const image = agent?.spec?.template.spec?.containers[0]?.image;
    context.print(`Agent Image: ${image ?? 'not installed'}`);
    context.print(`Server Version: ${await client.version(options)}`);
    return 0;
  },
});
