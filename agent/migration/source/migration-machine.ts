/**
 * The Migration controller as a table. Stages and statuses are Stork's; what each does is in stages/. How a migration ends
 * is decided (status.ending) before temporary objects are removed, and said (status.status) after.
 */
import { type Migration, type MigrationState, type MigrationStatus, migrations } from '../../../crds/v1alpha1/index.ts';
import { rfc3339 } from '../../../kube/runtime/conditions.ts';
import { defineMachine, type Machine, type Step } from '../../../kube/runtime/machine.ts';
import type { StatusPatch } from '../../../kube/runtime/outcome.ts';
import { requesterNameOf } from '../../requester/requester.ts';
import { activeSideAfterFailure } from './active-side.ts';
import { createStageGuard, guarded } from './requester/guard-stages.ts';
import type { SourceServices } from './source-services.ts';
import { runApplications } from './stages/applications.ts';
import { cleanUp, mayLeave, runFinal } from './stages/final.ts';
import { runInitial } from './stages/initial.ts';
import { runPlanned } from './stages/planned.ts';
import { runPreExecRule } from './stages/pre-exec-rule.ts';
import { runVolumes } from './stages/volumes.ts';
import { renderElapsed, summarize } from './summarize.ts';
import { tellStage } from './tell-migration.ts';

export type MigrationStageName = 'Initial' | 'Planned' | 'PreExecRule' | 'Volumes' | 'Applications' | 'Final';

export const migrationFinalizer = 'stork.libopenstorage.org/finalizer-cleanup';

export function migrationMachine(services: SourceServices): Machine<Migration, MigrationStageName, MigrationStatus> {
  const guard = createStageGuard(services);
  return defineMachine<Migration, MigrationStageName, MigrationStatus>({
    name: 'migration',
    resource: migrations,
    initial: 'Initial',
    stages: {
      Initial: {
        does: 'Checks the request, asks the destination for its plan, and refuses before anything is changed.',
        to: ['PreExecRule', 'Planned'],
        run: (context) => runInitial(services, context),
      },
      Planned: {
        does: 'A dry run only: finds out what each stage would do, by asking both clusters, and ends. Nothing is changed.',
        to: ['End'],
        run: (context) => runPlanned(services, context),
      },
      PreExecRule: {
        does: 'Runs the pre rule; background commands hold the application from here until every volume is cut.',
        to: ['Volumes'],
        onFail: 'Final',
        run: guarded(guard, 'PreExecRule', (context) => runPreExecRule(services, context)),
      },
      Volumes: {
        does: 'Snapshots all volumes at one point, lets the application go, runs the post rule, moves the data and proves it arrived.',
        to: ['Applications'],
        onFail: 'Final',
        run: guarded(guard, 'Volumes', (context) => runVolumes(services, context)),
      },
      Applications: {
        does: 'Collects and transforms resources; the destination applies them, and starts them when asked to.',
        to: ['Final'],
        onFail: 'Final',
        run: guarded(guard, 'Applications', (context) => runApplications(services, context)),
      },
      Final: {
        does: 'Removes temporary objects on both sides, then says how it ended.',
        to: ['End'],
        run: (context) => runFinal(services, context),
      },
    },
    stageOf,
    statusFor: (step) => statusFor(step, services.cluster),
    // A plan leaves no trace beside itself.
    tells: ({ spec }) => (spec.dryRun ? 'No' : 'Yes'),
    story: (migration, status) => tellStage(migration, status, requesterNameOf(migration.metadata)),
    stageStartTime: ({ status }) => status?.stageStartTimestamp,
    cleanup: {
      finalizer: migrationFinalizer,
      async run(context) {
        const left = await cleanUp(services, context);
        const since = Date.parse(context.object.metadata.deletionTimestamp ?? '');
        if (left.what.length === 0 || mayLeave(services, { left, since })) return 'Done';
        const message = `removing ${left.what.slice(0, 5).join(', ')}`;
        return { do: 'wait', seconds: 1, reason: 'CleaningUp', message, patch: left.patch };
      },
    },
  });
}

const ended: ReadonlySet<MigrationState | undefined> = new Set(['Failed', 'PartialSuccess', 'Successful', 'Purged']);

/** Pure, from status alone. */
export function stageOf({ status }: Migration): MigrationStageName | undefined {
  if (ended.has(status?.status)) return undefined;
  switch (status?.stage) {
    case undefined:
    case '':
      return 'Initial';
    case 'PreExecRule':
    case 'Volumes':
    case 'Applications':
    case 'Planned':
    case 'Final':
      return status.stage;
    default:
      return 'Final';
  }
}

function statusFor(
  step: Step<Migration, MigrationStageName, MigrationStatus>,
  cluster: string,
): StatusPatch<MigrationStatus> {
  const { object, outcome, next, stage } = step;
  const now = rfc3339(step.now);
  const entered = next === stage ? {} : { stageStartTimestamp: now };
  const failedAt = stage === 'Applications' ? 'Applications' : 'Earlier';
  const activeSide = activeSideAfterFailure({ source: cluster, spec: object.spec }, failedAt);
  switch (outcome.do) {
    case 'wait':
      return {
        stage: stage === 'Initial' ? '' : stage,
        status: stage === 'Initial' ? 'Pending' : 'InProgress',
        reason: outcome.message,
      };
    case 'advance':
      return {
        ...entered,
        stage: next === 'Initial' || next === 'End' ? 'Final' : next,
        status: 'InProgress',
        reason: '',
      };
    case 'fail':
      if (stage === 'Planned') return { ...plannedStatus(step, outcome.message), status: 'Failed' };
      if (next === 'End') return { ...endedStatus(step, 'Failed', outcome.message), activeSide };
      return {
        ...entered,
        activeSide,
        stage: 'Final',
        status: 'InProgress',
        reason: outcome.message,
        ending: { status: 'Failed', reason: outcome.message },
      };
    case 'finish':
      if (stage === 'Planned') return plannedStatus(step, outcome.message);
      return endedStatus(step, object.status?.ending?.status ?? 'Failed', outcome.message);
    default:
      return outcome satisfies never;
  }
}

/** `status` says how the migration would end: the stage itself sets it. */
function plannedStatus(
  { now }: Step<Migration, MigrationStageName, MigrationStatus>,
  reason: string,
): StatusPatch<MigrationStatus> {
  return { stage: 'Planned', reason, finishTimestamp: rfc3339(now) };
}

function endedStatus(
  step: Step<Migration, MigrationStageName, MigrationStatus>,
  status: MigrationState,
  reason: string,
): StatusPatch<MigrationStatus> {
  const { object, now } = step;
  const elapsed = renderElapsed(now.getTime() - Date.parse(object.metadata.creationTimestamp ?? now.toISOString()));
  const { volumes = [], resources = [], omittedResources: omitted } = object.status ?? {};
  return {
    stage: 'Final',
    status,
    reason,
    finishTimestamp: rfc3339(now),
    ...summarize({ volumes, resources, omitted, elapsed }),
  };
}
