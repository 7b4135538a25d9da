/** `migrate NAMESPACE... --to PAIR`: creates the Migration and follows it to its end. */
import { agentNamespace } from '../../crds/agent-names.ts';
import { applyDefaults } from '../../crds/schema/index.ts';
import { migrations } from '../../crds/v1alpha1/index.ts';
import { StorkError } from '../../kube/errors.ts';
import { type Arguments, type CommandContext, defineCommand } from '../command.ts';
import { createObject } from '../create-object.ts';
import { execRuleFlags } from '../exec-rule-flags.ts';
import { choice, duration, pairs, text, texts, toggle } from '../flag.ts';
import { followMigration } from '../follow-migration.ts';
import { outputFlag } from '../output/output-format.ts';
import { migrationView } from '../output/views/migration-view.ts';
import { planMigration } from '../plan-migration.ts';
import { quiesceFlags, quiesceOf } from '../quiesce-flags.ts';
import { refuseUnknownPair } from '../refuse-unknown-pair.ts';
import { stampOf } from '../stamp.ts';

/** What to migrate and how; `plan migrate` has the same. */
export const requestFlags = {
  to: text({ describes: 'The cluster pair to send to.', value: 'PAIR', completes: 'ClusterPairs' }),
  start: toggle({ describes: 'Start the applications on the destination.' }),
  ...execRuleFlags,
  selector: pairs({ describes: 'Only resources with all of these labels.', short: 'l', value: 'KEY=VALUE' }),
  'exclude-resource-types': texts({
    describes: 'Kinds to leave out: Kind, Kind.group, plural.group or *.group.',
    value: 'KINDS',
  }),
  'include-resources': toggle({ describes: 'Migrate resources.', default: true }),
  'include-volumes': toggle({ describes: 'Migrate volumes.', default: true }),
  'overwrite-destination': toggle({
    describes: 'Where pods use a destination volume: snapshot it, scale them down, overwrite.',
  }),
  'read-all': toggle({ describes: 'Read the volumes whole, also what did not change since the last sync.' }),
  ...quiesceFlags,
  'storage-class-mapping': pairs({ describes: 'StorageClasses here and there.', value: 'HERE=THERE' }),
  name: text({ describes: "The migration's name (default: made from the namespace and the time).", value: 'NAME' }),
} as const;

const migrationFlags = {
  ...requestFlags,
  detach: toggle({ describes: "Don't follow it." }),
  wait: toggle({ describes: 'Follow it until it ends.', default: true }),
  timeout: duration({ describes: 'Follow it no longer than this; it goes on.', value: 'DURATION', default: '0' }),
  'dry-run': choice(['none', 'plan', 'client', 'server'], {
    describes: 'plan: as `plan migrate`; client, server: as kubectl create.',
    bare: 'plan',
    default: 'none',
  }),
  output: outputFlag(),
} as const;

export const migrate = defineCommand({
  words: [['migrate']],
  summary: 'Copies namespaces, their volumes and resources, to a paired cluster, and follows it.',
  explains:
    'The applications here go on running. On the destination they are not started unless --start is given. Again later: only what changed is sent. Exit code: 0 Successful, 2 PartialSuccess, 1 otherwise.',
  positionals: { shown: 'NAMESPACE...', min: 1, max: 5000, completes: 'Namespaces' },
  flags: migrationFlags,
  examples: [
    'kubectl stork migrate shop --to remotecluster',
    'kubectl stork migrate shop shop-cache --to remotecluster --start --pre-exec-rule lock-tables',
    'kubectl stork migrate shop --to remotecluster --dry-run',
  ],
  async run(context, args) {
    const object = describeRequest(context, args, 'migrate');
    const { name, namespace } = object.metadata;
    const { 'dry-run': dryRun, output: format, timeout: timeoutMs } = args.flags;
    if (dryRun !== 'client' && dryRun !== 'server') await refuseUnknownPair(context, object);
    if (dryRun === 'plan')
      return planMigration(context, { object, format, timeoutMs, fields: 'Hide', afterwards: 'Remove' });
    const says = `Migration ${name} created successfully in namespace ${namespace}`;
    await createObject(migrationView, context, { object, dryRun, format, says });
    if (dryRun === 'client' || dryRun === 'server') return 0;
    if (args.flags.detach || !args.flags.wait) {
      context.print(`Follow it with: kubectl stork get migration ${name} -n ${namespace} -w`);
      return 0;
    }
    return followMigration(context, { key: { name, namespace }, timeoutMs });
  },
});

/** @throws StorkError `BadUsage` */
export function describeRequest(
  context: CommandContext,
  { positionals, flags }: Pick<Arguments<typeof requestFlags>, 'positionals' | 'flags'>,
  verb: 'migrate' | 'plan',
) {
  if (flags.to === undefined) {
    throw new StorkError({
      code: 'BadUsage',
      message: 'required flag not set: --to PAIR',
      hint: 'List the pairs with: kubectl stork pair list',
    });
  }
  const [first = ''] = positionals;
  const name = flags.name ?? `${verb}-${first}-${stampOf(context.ambient.clock.now())}`;
  return applyDefaults(migrations.schema, {
    apiVersion: migrations.apiVersion,
    kind: migrations.kind,
    // A migration may name other namespaces than its own only in the agent's; one namespace's lives beside its application.
    metadata: { name: name.slice(0, 253), namespace: context.givenNamespace ?? homeOf(positionals) },
    spec: {
      clusterPair: flags.to,
      namespaces: [...new Set(positionals)],
      includeResources: flags['include-resources'],
      includeVolumes: flags['include-volumes'],
      startApplications: flags.start,
      preExecRule: flags['pre-exec-rule'],
      postExecRule: flags['post-exec-rule'],
      selectors: Object.keys(flags.selector).length === 0 ? undefined : flags.selector,
      excludeResourceTypes: flags['exclude-resource-types'].length === 0 ? undefined : flags['exclude-resource-types'],
      overwriteDestination: flags['overwrite-destination'],
      readAll: flags['read-all'],
      ...quiesceOf(flags),
      storageClassMapping:
        Object.keys(flags['storage-class-mapping']).length === 0 ? undefined : flags['storage-class-mapping'],
    },
  });
}

function homeOf(namespaces: readonly string[]): string {
  const [only, ...others] = new Set(namespaces);
  return only !== undefined && others.length === 0 ? only : agentNamespace;
}
