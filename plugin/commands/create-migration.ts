/** `create migration NAME`: Stork's grammar; `migrate` is the task verb that also follows it. */
import { applyDefaults } from '../../crds/schema/index.ts';
import { migrations } from '../../crds/v1alpha1/index.ts';
import { StorkError } from '../../kube/errors.ts';
import { type Arguments, type CommandContext, defineCommand } from '../command.ts';
import { createObject, creationFlags, fileFlag, readObject } from '../create-object.ts';
import { execRuleFlags } from '../exec-rule-flags.ts';
import { choice, pairs, text, texts, toggle, wholeNumber } from '../flag.ts';
import { followMigration } from '../follow-migration.ts';
import { migrationView } from '../output/views/migration-view.ts';
import { planMigration } from '../plan-migration.ts';
import { quiesceFlags, quiesceOf } from '../quiesce-flags.ts';

const migrationFlags = {
  ...creationFlags,
  namespaces: texts({ describes: 'Namespaces to migrate.', value: 'NAMES', completes: 'Namespaces' }),
  'namespace-selectors': pairs({ describes: 'Also namespaces with any of these labels.', value: 'KEY=VALUE' }),
  'cluster-pair': text({
    describes: 'The cluster pair to send to.',
    short: 'c',
    value: 'NAME',
    completes: 'ClusterPairs',
  }),
  'admin-cluster-pair': text({
    describes: 'The cluster pair for cluster-scoped objects.',
    value: 'NAME',
    completes: 'ClusterPairs',
  }),
  'include-resources': toggle({ describes: 'Migrate resources.', short: 'r', default: true }),
  'include-volumes': toggle({ describes: 'Migrate volumes.', default: true }),
  'start-applications': toggle({ describes: 'Start the applications on the destination.', short: 'a', default: true }),
  ...execRuleFlags,
  selectors: pairs({ describes: 'Only resources with all of these labels.', value: 'KEY=VALUE' }),
  'exclude-selectors': pairs({ describes: 'No resource with any of these labels.', value: 'KEY=VALUE' }),
  'exclude-resource-types': texts({
    describes: 'Kinds to leave out: Kind, Kind.group, plural.group or *.group.',
    value: 'KINDS',
  }),
  'transform-spec': text({ describes: 'The ResourceTransformation to use.', value: 'NAME' }),
  ...quiesceFlags,
  file: fileFlag,
  'dry-run': choice(['none', 'plan', 'client', 'server'], {
    describes: 'plan: as `plan migrate`; client: only print what would be sent; server: send it without keeping it.',
    bare: 'plan',
    default: 'none',
  }),
  wait: toggle({ describes: 'Follow it until it ends.' }),
  'wait-seconds': wholeNumber({ describes: 'How long --wait waits.', default: 21_600 }),
} as const;

export const createMigration = defineCommand({
  words: [['create'], migrationView.words],
  summary: 'Creates a migration.',
  explains:
    "As Stork's tool does, with --start-applications=true by default; `kubectl stork migrate` doesn't start them unless told.",
  positionals: { shown: 'NAME', min: 0, max: 1 },
  flags: migrationFlags,
  examples: [
    'kubectl stork create migration mysqlmigration -n mysql --namespaces mysql -c remotecluster',
    'kubectl stork create migration -f migration.yaml',
    'kubectl stork create migration mysqlmigration -n mysql --namespaces mysql -c remotecluster --dry-run',
  ],
  async run(context, args) {
    const object = await describe(context, args);
    const says = `Migration ${object.metadata.name} created successfully`;
    const { 'dry-run': dryRun, output: format, 'wait-seconds': waitSeconds } = args.flags;
    const timeoutMs = waitSeconds * 1000;
    if (dryRun === 'plan')
      return planMigration(context, { object, format, timeoutMs, fields: 'Hide', afterwards: 'Remove' });
    await createObject(migrationView, context, { object, dryRun, format, says });
    if (!args.flags.wait || dryRun !== 'none') return 0;
    const { name, namespace } = object.metadata;
    return followMigration(context, { key: { name, namespace }, timeoutMs });
  },
});

async function describe(context: CommandContext, { positionals, flags }: Arguments<typeof migrationFlags>) {
  const namespace = context.givenNamespace;
  if (flags.file !== undefined) {
    const object = await readObject(migrations, flags.file, context);
    const place = namespace ?? object.metadata.namespace ?? (await context.cluster()).namespace;
    return { ...object, metadata: { ...object.metadata, namespace: place } };
  }
  const [name] = positionals;
  const clusterPair = flags['cluster-pair'];
  if (name === undefined) throw missing('exactly one name needs to be provided for the migration');
  if (clusterPair === undefined) throw missing('a cluster pair needs to be given: --cluster-pair NAME');
  if (flags.namespaces.length === 0 && unlessEmpty(flags['namespace-selectors']) === undefined)
    throw missing('at least one namespace needs to be given: --namespaces NAMES, or --namespace-selectors KEY=VALUE');
  return applyDefaults(migrations.schema, {
    apiVersion: migrations.apiVersion,
    kind: migrations.kind,
    metadata: { name, namespace: namespace ?? (await context.cluster()).namespace },
    spec: {
      clusterPair,
      adminClusterPair: flags['admin-cluster-pair'],
      namespaces: flags.namespaces,
      namespaceSelectors: unlessEmpty(flags['namespace-selectors']),
      includeResources: flags['include-resources'],
      includeVolumes: flags['include-volumes'],
      startApplications: flags['start-applications'] && flags['include-resources'],
      preExecRule: flags['pre-exec-rule'],
      postExecRule: flags['post-exec-rule'],
      ...quiesceOf(flags),
      selectors: unlessEmpty(flags.selectors),
      excludeSelectors: unlessEmpty(flags['exclude-selectors']),
      excludeResourceTypes: flags['exclude-resource-types'].length === 0 ? undefined : flags['exclude-resource-types'],
      transformSpecs: flags['transform-spec'] === undefined ? undefined : [flags['transform-spec']],
    },
  });
}

function unlessEmpty(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> | undefined {
  return Object.keys(labels).length === 0 ? undefined : labels;
}

function missing(message: string): StorkError {
  return new StorkError({ code: 'BadUsage', message, hint: "See 'kubectl stork create migration --help' for usage." });
}
