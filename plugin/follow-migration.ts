/** Follows a Migration to its end: live on a terminal, plain lines in a pipe; then says in words what became of it. */
import { type Migration, migrations } from '../crds/v1alpha1/index.ts';
import type { ObjectKey } from '../kube/client/client.ts';
import { StorkError } from '../kube/errors.ts';
import type { CommandContext } from './command.ts';
import { followObject } from './follow-object.ts';
import { describeOutcome, describeProgress, type Outcome } from './output/describe-migration.ts';
import { formatDuration } from './output/format-time.ts';
import { createLiveLine } from './output/live-line.ts';

export interface FollowMigrationRequest {
  readonly key: ObjectKey;
  /** 0: as long as it takes. The migration goes on when the time is over. */
  readonly timeoutMs: number;
}

export const exitCodes: Readonly<Record<Outcome, number>> = { Successful: 0, Planned: 0, PartialSuccess: 2, Failed: 1 };

const tickMs = 1000;
/** Nobody picked it up: the agent is probably not there. */
const unnoticedMs = 15_000;

/**
 * Resolves to the exit code: 0 Successful (or planned), 2 PartialSuccess, 1 Failed.
 * @throws StorkError `StillRunning` when the time is over, `MigrationDeleted`
 */
export async function followMigration(context: CommandContext, request: FollowMigrationRequest): Promise<number> {
  try {
    const { clock } = context.ambient;
    const ended = await awaitMigration(context, { ...request, progress: 'Show', tooLate: stillRunning });
    const end = describeOutcome(ended, clock.now());
    for (const sentence of end?.lines ?? []) context.print(sentence);
    return exitCodes[end?.outcome ?? 'Failed'];
  } finally {
    if (context.signal.aborted) context.say(`The migration goes on. ${watchHint(request.key)}`);
  }
}

export interface AwaitMigrationRequest extends FollowMigrationRequest {
  readonly progress: 'Show' | 'Hide';
  readonly tooLate: (migration: Migration, passedMs: number) => StorkError;
}

/** Resolves to the Migration once it has ended. @throws StorkError `MigrationDeleted`, and `tooLate` when the time is over */
export async function awaitMigration(context: CommandContext, request: AwaitMigrationRequest): Promise<Migration> {
  const { client } = await context.cluster();
  const { clock, random, stdout } = context.ambient;
  const startedMs = clock.monotonicMs();
  const line = createLiveLine(stdout, clock);
  const { key } = request;
  const states = followObject({ client, resource: migrations, key, clock, random, signal: context.signal, tickMs });
  let warned: 'Yes' | 'No' = 'No';
  try {
    for await (const migration of states) {
      if (migration === undefined) throw gone(key);
      if (describeOutcome(migration, clock.now()) !== undefined) return migration;
      const passedMs = clock.monotonicMs() - startedMs;
      if (warned === 'No' && passedMs > unnoticedMs && migration.status === undefined) {
        context.say('No agent has picked it up yet: is it running? (kubectl stork status)');
        warned = 'Yes';
      }
      if (request.timeoutMs > 0 && passedMs > request.timeoutMs) throw request.tooLate(migration, passedMs);
      if (request.progress === 'Show') line.show(describeProgress(migration, clock.now()));
    }
    throw gone(key);
  } finally {
    line.clear();
  }
}

function watchHint({ namespace, name }: ObjectKey): string {
  return `Watch it with: kubectl stork get migration ${name} -n ${namespace} -w`;
}

function gone({ namespace, name }: ObjectKey): StorkError {
  return new StorkError({
    code: 'MigrationDeleted',
    message: `migration ${namespace}/${name} was deleted while it ran`,
  });
}

function stillRunning({ metadata, status }: Migration, passedMs: number): StorkError {
  return new StorkError({
    code: 'StillRunning',
    message: `timed out after ${formatDuration(passedMs)}; migration ${metadata.namespace}/${metadata.name} goes on (stage ${status?.stage || 'Initial'})`,
    hint: watchHint(metadata),
  });
}
