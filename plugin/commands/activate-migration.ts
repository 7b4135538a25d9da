/** `activate|deactivate migration`: asks the agent by an Action and repeats what it says, so that it works with a dead peer. */
import { agentNamespace } from '../../crds/agent-names.ts';
import { applyDefaults } from '../../crds/schema/index.ts';
import { type Action, actions } from '../../crds/v1alpha1/index.ts';
import { isAlreadyExists, StorkError } from '../../kube/errors.ts';
import { type Command, type CommandContext, defineCommand } from '../command.ts';
import { createAdmitted } from '../create-admitted.ts';
import { duration, toggle } from '../flag.ts';
import { followObject } from '../follow-object.ts';
import { migrationView } from '../output/views/migration-view.ts';
import { stampOf } from '../stamp.ts';

type Verb = 'activate' | 'deactivate';

const tickMs = 1000;

const originalsFlag = {
  'include-originals': toggle({
    describes: 'Stop also what did not come by a migration: the originals, before they are migrated or updated.',
  }),
};

export function activateMigration(verb: Verb): Command {
  const does = verb === 'activate' ? 'Starts' : 'Stops';
  return defineCommand({
    words: [[verb], migrationView.words],
    summary: `${does} the migrated applications of a namespace on this cluster.`,
    explains:
      verb === 'activate'
        ? 'Each workload gets the count it had where it came from. Works also when the other cluster is dead.'
        : 'Each workload that came by a migration is scaled to zero, its count kept for the next activate. Others run on and are named; where nothing came by a migration, it fails.',
    flags: {
      ...(verb === 'deactivate' ? originalsFlag : {}),
      'all-namespaces': toggle({ describes: 'In all namespaces.', short: 'A' }),
      timeout: duration({
        describes: 'Wait no longer than this; the action goes on.',
        value: 'DURATION',
        default: '10m',
      }),
    },
    examples: [`kubectl stork ${verb} migration -n shop`],
    async run(context, { flags }) {
      const { namespace } = await context.cluster();
      const [home, namespaces] = flags['all-namespaces'] ? [agentNamespace, ['*']] : [namespace, [namespace]];
      const includeOriginals = 'include-originals' in flags && flags['include-originals'] === true;
      const suffix = flags['all-namespaces'] ? 'all' : namespace;
      const object = applyDefaults(actions.schema, {
        apiVersion: actions.apiVersion,
        kind: actions.kind,
        metadata: { name: `${verb}-${suffix}-${stampOf(context.ambient.clock.now())}`, namespace: home },
        spec: {
          actionType: verb,
          actionParameter:
            verb === 'activate'
              ? { activateParameter: { namespaces } }
              : { deactivateParameter: { namespaces, ...(includeOriginals ? { includeOriginals } : {}) } },
        },
      });
      const { name } = (await createNumbered(context, object)).metadata;
      return follow(context, { name, namespace: home, timeoutMs: flags.timeout });
    },
  });
}

const actionsPerSecond = 20;

/** The name tells the second; a script may ask more than once in it. */
async function createNumbered(context: CommandContext, object: Action): Promise<Action> {
  const { name } = object.metadata;
  for (let number = 1; ; number += 1) {
    const metadata = { ...object.metadata, name: number === 1 ? name : `${name}-${number}` };
    try {
      return await createAdmitted(context, actions, { ...object, metadata });
    } catch (error) {
      if (!isAlreadyExists(error) || number === actionsPerSecond) throw error;
    }
  }
}

async function follow(
  context: CommandContext,
  { name, namespace, timeoutMs }: { readonly name: string; readonly namespace: string; readonly timeoutMs: number },
): Promise<number> {
  const { client } = await context.cluster();
  const { clock, random } = context.ambient;
  const startedMs = clock.monotonicMs();
  const key = { namespace, name };
  let told = 0;
  for await (const action of followObject({
    client,
    resource: actions,
    key,
    clock,
    random,
    signal: context.signal,
    tickMs,
  })) {
    const messages = action?.status?.messages ?? [];
    for (const message of messages.slice(told)) context.print(message);
    told = Math.max(told, messages.length);
    const code = exitCodeOf(context, action);
    if (code !== undefined) return code;
    if (timeoutMs > 0 && clock.monotonicMs() - startedMs > timeoutMs) throw stillRunning(key, action);
  }
  return 1;
}

/** `undefined` while it runs. */
function exitCodeOf(context: CommandContext, action: Action | undefined): number | undefined {
  if (action === undefined) {
    context.say('error: the action was deleted before it ended');
    return 1;
  }
  const { status, reason } = action.status ?? {};
  if (status === 'Successful') {
    if ((action.status?.messages ?? []).length === 0) context.print('Nothing to do: no migrated application needed it');
    return 0;
  }
  if (status !== 'Failed') return undefined;
  context.say(`error: ${reason ?? 'the action failed'}`);
  return 1;
}

function stillRunning(key: { namespace: string; name: string }, action: Action | undefined): StorkError {
  const seen = action?.status === undefined ? 'no agent has picked it up' : 'it goes on';
  return new StorkError({
    code: 'StillRunning',
    message: `timed out waiting for action ${key.namespace}/${key.name}; ${seen}`,
    hint: 'Is the agent running? kubectl stork status',
  });
}
