/** `create rule NAME`: one action from flags, or any rule from a file. */
import { applyDefaults } from '../../crds/schema/index.ts';
import { rules } from '../../crds/v1alpha1/index.ts';
import { StorkError } from '../../kube/errors.ts';
import { defineCommand } from '../command.ts';
import { createObject, creationFlags, fileFlag, readObject } from '../create-object.ts';
import { pairs, text, toggle } from '../flag.ts';
import { ruleView } from '../output/views/rule-view.ts';

export const createRule = defineCommand({
  words: [['create'], ruleView.words],
  summary: 'Creates a rule: commands to run in pods before or after an operation.',
  positionals: { shown: '[NAME]', min: 0, max: 1 },
  flags: {
    ...creationFlags,
    file: fileFlag,
    'pod-selector': pairs({ describes: 'Run in pods with all of these labels.', value: 'KEY=VALUE' }),
    container: text({ describes: "The container; a pod's first when absent.", value: 'NAME' }),
    command: text({ describes: 'The command line, run by sh -c.', value: 'COMMAND' }),
    background: toggle({ describes: `Hold the command until the volumes are cut; it must wait by \${WAIT_CMD}.` }),
    'single-pod': toggle({ describes: 'Run in the first matching pod instead of in all.' }),
  },
  examples: [
    "kubectl stork create rule flush -n shop --pod-selector app=cassandra --command 'nodetool flush'",
    'kubectl stork create rule -n shop -f lock-tables.yaml',
  ],
  async run(context, { positionals, flags }) {
    const namespace = context.givenNamespace;
    const given =
      flags.file === undefined ? describe(positionals, flags) : await readObject(rules, flags.file, context);
    const place = namespace ?? given.metadata.namespace ?? (await context.cluster()).namespace;
    const object = { ...given, metadata: { ...given.metadata, namespace: place } };
    await createObject(ruleView, context, {
      object,
      dryRun: flags['dry-run'],
      format: flags.output,
      says: `Rule ${object.metadata.name} created successfully`,
    });
    return 0;
  },
});

interface OneAction {
  readonly 'pod-selector': Readonly<Record<string, string>>;
  readonly container: string | undefined;
  readonly command: string | undefined;
  readonly background: boolean;
  readonly 'single-pod': boolean;
}

function describe([name]: readonly string[], flags: OneAction) {
  if (name === undefined || flags.command === undefined) {
    const hint = "See 'kubectl stork create rule --help' for usage.";
    throw new StorkError({ code: 'BadUsage', message: 'a NAME and --command are needed, or -f FILE', hint });
  }
  const { background, command, container } = flags;
  return applyDefaults(rules.schema, {
    apiVersion: rules.apiVersion,
    kind: rules.kind,
    metadata: { name },
    rules: [
      {
        podSelector: flags['pod-selector'],
        container,
        actions: [{ type: 'command', background, runInSinglePod: flags['single-pod'], value: command }],
      },
    ],
  });
}
