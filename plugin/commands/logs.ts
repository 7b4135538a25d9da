/**
 * `logs migration/NAME`: what the agents and movers of this cluster logged about it; `-f` until it has ended. On a destination,
 * where there is no such object, by the name it has on the source.
 */

import { incomingEnded } from '../../crds/agent-names.ts';
import { type Migration, migrations } from '../../crds/v1alpha1/index.ts';
import { StorkError } from '../../kube/errors.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { findIncoming } from '../find-incoming.ts';
import { choice, text, toggle, wholeNumber } from '../flag.ts';
import { readNamedObject } from '../named-object.ts';
import { createOperationLog } from '../operation-log.ts';
import { describeOutcome } from '../output/describe-migration.ts';
import { printable } from '../output/render-table.ts';
import { fieldsOf, type LogLine, renderLogLine } from '../output/tell/log-line.ts';
import { migrationView } from '../output/views/migration-view.ts';

const lookAgainMs = 1000;

export const logs = defineCommand({
  words: [['logs']],
  summary: "Shows what this cluster's agents and movers logged about a migration.",
  explains:
    'Movers are shown as long as their pods are there. Each cluster has its own half of the log: with --context of the destination, the same name and namespace show what it did with what came.',
  positionals: { shown: 'migration/NAME', min: 1, max: 2, completes: ['migration/'] },
  flags: {
    follow: toggle({ describes: 'Go on until the migration has ended.', short: 'f' }),
    tail: wholeNumber({ describes: 'The last lines only; 0 is all of them.', default: 0 }),
    peer: text({
      describes: 'On the destination: only what came over this pair, where two clusters use one name.',
      value: 'PAIR',
      completes: 'ClusterPairs',
    }),
    output: choice(['text', 'json'], {
      describes: 'json: the lines as they were logged.',
      short: 'o',
      default: 'text',
    }),
  },
  examples: [
    'kubectl stork logs migration/mysqlmigration -n mysql',
    'kubectl stork logs migration/mysqlmigration -n mysql --context west',
    'kubectl stork logs migration/m -n mysql -f',
  ],
  async run(context, { positionals, flags }) {
    const { name } = readNamedObject([migrationView], positionals);
    const { client, namespace } = await context.cluster();
    const { signal, ambient } = context;
    const key = { namespace, name };
    const operation = await findOperation(context, { ...key, peer: flags.peer });
    const log = createOperationLog(client, operation);
    const show = (line: LogLine) => context.print(flags.output === 'json' ? printable(line.text) : renderLogLine(line));
    const first = await log.look(signal);
    for (const line of flags.tail === 0 ? first : first.slice(-flags.tail)) show(line);
    const isOver = operation.comesFrom === 'Peer' && first.some(isLast);
    for (let ended = !flags.follow || isOver; !ended; ) {
      await ambient.clock.sleep(lookAgainMs, signal);
      // Asked first: what was logged until the end is then looked at once more.
      const here = operation.comesFrom === 'Here' ? await client.find(migrations, key, { signal }) : undefined;
      const lines = await log.look(signal);
      ended = operation.comesFrom === 'Here' ? hasEnded(here, ambient.clock.now()) : lines.some(isLast);
      for (const line of lines) show(line);
    }
    return 0;
  },
});

interface FoundOperation {
  readonly comesFrom: 'Here' | 'Peer';
  readonly uids: readonly string[];
  readonly since: string | undefined;
}

/** @throws ApiError `NotFound`, with where else to look */
async function findOperation(
  context: CommandContext,
  { peer, ...key }: { readonly namespace: string; readonly name: string; readonly peer: string | undefined },
): Promise<FoundOperation> {
  const { client } = await context.cluster();
  const { signal } = context;
  const here = peer === undefined ? await client.find(migrations, key, { signal }) : undefined;
  if (here !== undefined)
    return { comesFrom: 'Here', uids: [here.metadata.uid ?? ''], since: here.metadata.creationTimestamp };
  const incoming = await findIncoming(client, key, { peer, signal });
  if (incoming.length === 0)
    throw new StorkError({
      code: 'MigrationNotFound',
      message: `there is no migration ${key.namespace}/${key.name} here, and the agents' logs tell of none of that name that came${peer === undefined ? '' : ` over pair ${peer}`}`,
      hint: 'Name and namespace are those on the source: kubectl stork get migration -A --context SOURCE. Logs go back no further than the agents and movers run.',
    });
  const pairs = [...new Set(incoming.map(({ pair }) => pair))];
  context.say(
    `Migration ${key.namespace}/${key.name} came over pair ${pairs.join(' and ')}; this is this cluster's half.`,
  );
  if (pairs.length > 1) context.say('Only one of them: --peer PAIR');
  return { comesFrom: 'Peer', uids: incoming.map(({ uid }) => uid), since: undefined };
}

/** What an agent logs when nothing of a migration that came is under way any more. */
const isLast = ({ text: line }: LogLine): boolean => fieldsOf(line)?.message === incomingEnded;

const hasEnded = (migration: Migration | undefined, now: Date) =>
  migration === undefined || describeOutcome(migration, now) !== undefined;
