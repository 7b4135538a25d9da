/**
 * `repeat migration NAME`: the same request once more, as whoever types it. What the agent may not carry out because nobody
 * knows who asked (RequesterUnknown) is asked for again so; the earlier one stays, with its story.
 */
import { type Migration, migrations } from '../../crds/v1alpha1/index.ts';
import { StorkError } from '../../kube/errors.ts';
import { defineCommand } from '../command.ts';
import { createObject, creationFlags } from '../create-object.ts';
import { duration, text, toggle } from '../flag.ts';
import { followMigration } from '../follow-migration.ts';
import { migrationView } from '../output/views/migration-view.ts';
import { refuseUnknownPair } from '../refuse-unknown-pair.ts';
import { stampOf } from '../stamp.ts';

export const repeatMigration = defineCommand({
  words: [['repeat'], migrationView.words],
  summary: 'Creates a migration with the spec of an earlier one, in your name, and follows it.',
  explains:
    'The earlier one is left as it is; it must have ended. Only what the destination does not have yet is sent. It needs your own rights, not those of whoever asked before. Exit code as of migrate.',
  positionals: { shown: 'NAME', min: 1, max: 1, completes: 'Migrations' },
  flags: {
    ...creationFlags,
    name: text({ describes: "The new one's name (default: made from the earlier one's and the time).", value: 'NAME' }),
    detach: toggle({ describes: "Don't follow it." }),
    timeout: duration({ describes: 'Follow it no longer than this; it goes on.', value: 'DURATION', default: '0' }),
  },
  examples: ['kubectl stork repeat migration migrate-shop-2026-11-21-063000 -n shop'],
  async run(context, { positionals, flags }) {
    const [name = ''] = positionals;
    const { client, namespace } = await context.cluster();
    const earlier = await client.get(migrations, { namespace, name }, { signal: context.signal });
    refuseUnended(earlier);
    const { 'dry-run': dryRun, output: format } = flags;
    const made = flags.name ?? `${name.replace(againPattern, '')}-again-${stampOf(context.ambient.clock.now())}`;
    const object: Migration = {
      apiVersion: migrations.apiVersion,
      kind: migrations.kind,
      metadata: { name: made.slice(-253), namespace },
      spec: earlier.spec,
    };
    if (dryRun === 'none') await refuseUnknownPair(context, object);
    const says = `Migration ${object.metadata.name} created successfully in namespace ${namespace}`;
    await createObject(migrationView, context, { object, dryRun, format, says });
    if (dryRun !== 'none') return 0;
    if (flags.detach) {
      context.print(`Follow it with: kubectl stork get migration ${object.metadata.name} -n ${namespace} -w`);
      return 0;
    }
    return followMigration(context, { key: { name: object.metadata.name, namespace }, timeoutMs: flags.timeout });
  },
});

const againPattern = /-again-\d{4}-\d{2}-\d{2}-\d{6}$/;

/** Two at once would wait for each other's claims. */
function refuseUnended({ metadata, status }: Migration): void {
  if (status?.stage === 'Final' || status?.stage === 'Planned') return;
  throw new StorkError({
    code: 'StillRunning',
    message: `migration ${metadata.namespace}/${metadata.name} has not ended (stage ${status?.stage || 'Initial'})`,
    hint: `Wait for its end: kubectl stork get migration ${metadata.name} -n ${metadata.namespace} -w; or give it up: kubectl stork delete migration ${metadata.name} -n ${metadata.namespace}`,
  });
}
