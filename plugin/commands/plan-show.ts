/** `plan show NAME`: a plan that was kept, or one that a manifest with `spec.dryRun: true` asked for. */
import { migrations } from '../../crds/v1alpha1/index.ts';
import { StorkError } from '../../kube/errors.ts';
import { defineCommand } from '../command.ts';
import { toggle } from '../flag.ts';
import { outputFlag } from '../output/output-format.ts';
import { printPlan } from '../plan-migration.ts';

export const planShow = defineCommand({
  words: [['plan'], ['show']],
  summary: 'Shows a plan that was kept.',
  explains: 'Also one that a manifest asked for: any Migration with spec.dryRun: true.',
  positionals: { shown: 'NAME', min: 1, max: 1, completes: 'Migrations' },
  flags: { diff: toggle({ describes: 'Show which fields of objects would change.' }), output: outputFlag() },
  examples: ['kubectl stork plan show plan-shop-2026-11-21-063000 -n shop'],
  async run(context, { positionals, flags }) {
    const { client, namespace } = await context.cluster();
    const key = { namespace: context.givenNamespace ?? namespace, name: positionals[0] ?? '' };
    const migration = await client.get(migrations, key, { signal: context.signal });
    if (migration.status?.stage !== 'Planned' || migration.status.status === 'InProgress') {
      throw new StorkError({
        code: 'NotPlanned',
        message: `migration ${key.namespace}/${key.name} is no plan, or not yet one`,
        hint: 'Make one with: kubectl stork plan migrate NAMESPACE --to PAIR --keep',
      });
    }
    printPlan(context, migration, { format: flags.output, fields: flags.diff ? 'Show' : 'Hide' });
    return 0;
  },
});
