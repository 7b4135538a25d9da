/** `logs migration/NAME`: what the agents and movers of this cluster logged about it; `-f` until it has ended. */
import { type Migration, migrations } from '../../crds/v1alpha1/index.ts';
import { defineCommand } from '../command.ts';
import { choice, toggle, wholeNumber } from '../flag.ts';
import { readNamedObject } from '../named-object.ts';
import { createOperationLog } from '../operation-log.ts';
import { describeOutcome } from '../output/describe-migration.ts';
import { printable } from '../output/render-table.ts';
import { type LogLine, renderLogLine } from '../output/tell/log-line.ts';
import { migrationView } from '../output/views/migration-view.ts';

const lookAgainMs = 1000;

export const logs = defineCommand({
  words: [['logs']],
  summary: "Shows what this cluster's agents and movers logged about a migration.",
  explains: 'Movers are shown as long as their pods are there; the other cluster has its own half of the log.',
  positionals: { shown: 'migration/NAME', min: 1, max: 2, completes: ['migration/'] },
  flags: {
    follow: toggle({ describes: 'Go on until the migration has ended.', short: 'f' }),
    tail: wholeNumber({ describes: 'The last lines only; 0 is all of them.', default: 0 }),
    output: choice(['text', 'json'], {
      describes: 'json: the lines as they were logged.',
      short: 'o',
      default: 'text',
    }),
  },
  examples: ['kubectl stork logs migration/mysqlmigration -n mysql', 'kubectl stork logs migration/m -n mysql -f'],
  async run(context, { positionals, flags }) {
    const { name } = readNamedObject([migrationView], positionals);
    const { client, namespace } = await context.cluster();
    const { signal, ambient } = context;
    const key = { namespace, name };
    const { metadata } = await client.get(migrations, key, { signal });
    const log = createOperationLog(client, { uid: metadata.uid ?? '', since: metadata.creationTimestamp });
    const show = (line: LogLine) => context.print(flags.output === 'json' ? printable(line.text) : renderLogLine(line));
    const first = await log.look(signal);
    for (const line of flags.tail === 0 ? first : first.slice(-flags.tail)) show(line);
    for (let ended = !flags.follow; !ended; ) {
      await ambient.clock.sleep(lookAgainMs, signal);
      // Asked first: what was logged until the end is then looked at once more.
      ended = hasEnded(await client.find(migrations, key, { signal }), ambient.clock.now());
      for (const line of await log.look(signal)) show(line);
    }
    return 0;
  },
});

const hasEnded = (migration: Migration | undefined, now: Date) =>
  migration === undefined || describeOutcome(migration, now) !== undefined;
