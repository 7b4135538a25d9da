/** Asks the agents for a plan: creates the Migration as a dry run, waits for the answer, prints it and takes it away. */
import { type Migration, migrations } from '../crds/v1alpha1/index.ts';
import { isNotFound, StorkError } from '../kube/errors.ts';
import type { CommandContext } from './command.ts';
import { createAdmitted } from './create-admitted.ts';
import { awaitMigration } from './follow-migration.ts';
import { allObjectsOf, describePlan, nameOfPlanned, withAllObjects, writtenActions } from './output/describe-plan.ts';
import { formatDuration } from './output/format-time.ts';
import type { OutputFormat } from './output/output-format.ts';
import { printObjects } from './output/print-objects.ts';
import { migrationView } from './output/views/migration-view.ts';

export interface PlanRequest {
  readonly object: Migration;
  readonly format: OutputFormat;
  readonly fields: 'Show' | 'Hide';
  /** `Keep`: the plan stays as an object. */
  readonly afterwards: 'Keep' | 'Remove';
  /** 0: as long as it takes. */
  readonly timeoutMs: number;
}

/** Resolves to the exit code: 0 it could run, 1 something would refuse it. */
export async function planMigration(context: CommandContext, request: PlanRequest): Promise<number> {
  const object = { ...request.object, spec: { ...request.object.spec, dryRun: true } };
  const { metadata } = await createAdmitted(context, migrations, object);
  try {
    const progress = isForPeople(request.format) ? 'Show' : 'Hide';
    const { timeoutMs } = request;
    const planned = await awaitMigration(context, { key: metadata, timeoutMs, progress, tooLate });
    printPlan(context, planned, request);
    return planned.status?.plan?.verdict === undefined || planned.status.plan.verdict === 'Refused' ? 1 : 0;
  } finally {
    if (request.afterwards === 'Remove') await remove(context, metadata);
    else context.say(`The plan is kept: kubectl stork plan show ${metadata.name} -n ${metadata.namespace}`);
  }
}

export function printPlan(
  context: CommandContext,
  migration: Migration,
  { format, fields }: Pick<PlanRequest, 'format' | 'fields'>,
): void {
  const objects = format.kind === 'wide' ? 'All' : 'ToLookAt';
  if (isForPeople(format)) {
    for (const line of describePlan(migration, { objects, fields })) context.print(line);
    return;
  }
  const { plan } = migration.status ?? {};
  if (format.kind === 'name') {
    const written = plan === undefined ? [] : allObjectsOf(plan).filter(({ action }) => writtenActions.has(action));
    for (const one of written) context.print(nameOfPlanned(one));
    return;
  }
  const now = context.ambient.clock.now();
  const options = { format, headers: 'Show', namespaces: 'Hide', now, as: 'One' } as const;
  context.print(printObjects(migrationView, [withAllObjects(migration)], options));
}

const isForPeople = ({ kind }: OutputFormat): boolean => kind === 'table' || kind === 'wide';

/** Also when interrupted: a plan nobody reads is litter. */
async function remove(context: CommandContext, { namespace, name, uid }: Migration['metadata']): Promise<void> {
  const { client } = await context.cluster();
  try {
    await client.delete(migrations, { namespace, name }, { uid });
  } catch (error) {
    if (isNotFound(error)) return;
    context.say(`The plan could not be removed: kubectl delete migration ${name} -n ${namespace}`);
  }
}

function tooLate({ metadata, status }: Migration, passedMs: number): StorkError {
  const reason = status?.reason === undefined || status.reason === '' ? '' : `: ${status.reason}`;
  return new StorkError({
    code: 'NotPlanned',
    message: `timed out after ${formatDuration(passedMs)}; migration ${metadata.namespace}/${metadata.name} was not planned${reason}`,
    hint: 'Is the agent running, and the pair Ready? See: kubectl stork status',
  });
}
