/** `plan migrate NAMESPACE... --to PAIR`: what a migration would do, by the agents of both clusters. Changes nothing. */
import { defineCommand } from '../command.ts';
import { duration, toggle } from '../flag.ts';
import { outputFlag } from '../output/output-format.ts';
import { planMigration } from '../plan-migration.ts';
import { refuseUnknownPair } from '../refuse-unknown-pair.ts';
import { describeRequest, requestFlags } from './migrate.ts';

export const planMigrate = defineCommand({
  words: [['plan'], ['migrate']],
  summary: 'Shows what a migration would do, object by object, and changes nothing.',
  explains:
    'Both agents are asked: every object is decided as in the run and tried as a server-side dry run with the account that would write it. Exit code: 0 it could run, 1 something would refuse it.',
  positionals: { shown: 'NAMESPACE...', min: 1, max: 5000, completes: 'Namespaces' },
  flags: {
    ...requestFlags,
    diff: toggle({ describes: 'Show which fields of objects would change.' }),
    keep: toggle({ describes: 'Keep the plan as an object: a Migration with spec.dryRun.' }),
    timeout: duration({
      describes: 'Wait no longer than this; 0: as long as it takes.',
      value: 'DURATION',
      default: '10m',
    }),
    output: outputFlag(),
  },
  examples: [
    'kubectl stork plan migrate shop --to remotecluster',
    'kubectl stork plan migrate shop --to remotecluster --diff -o wide',
    'kubectl stork plan migrate shop --to remotecluster -o json',
  ],
  async run(context, args) {
    const object = describeRequest(context, args, 'plan');
    await refuseUnknownPair(context, object);
    const { diff, keep, timeout, output } = args.flags;
    return planMigration(context, {
      object,
      format: output,
      fields: diff ? 'Show' : 'Hide',
      afterwards: keep ? 'Keep' : 'Remove',
      timeoutMs: timeout,
    });
  },
});
