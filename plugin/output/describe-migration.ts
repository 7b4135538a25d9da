/** A Migration in words: how far it is, and how it ended. Pure. */
import type { Migration } from '../../crds/v1alpha1/index.ts';
import { describePlan } from './describe-plan.ts';
import { formatBytes } from './format-bytes.ts';
import { bytesSentOf, elapsedOf, progressPartsOf, resourcesOf, volumesOf } from './views/migration-view.ts';

export type Outcome = 'Successful' | 'PartialSuccess' | 'Failed' | 'Planned';

export interface Progress {
  /** What a plain log prints a line for; changes seldom. */
  readonly milestone: string;
  /** The rest of the live line. */
  readonly detail: string;
}

export function describeProgress(migration: Migration, now: Date): Progress {
  const { status } = migration;
  const stage = status?.stage || 'Initial';
  const parts = [`${stage}${status?.status ? ` ${status.status}` : ''}`, `volumes ${volumesOf(migration)}`];
  if (stage === 'Applications' || stage === 'Final') parts.push(`resources ${resourcesOf(migration)}`);
  const reason = status?.reason === undefined || status.reason === '' ? '' : `: ${status.reason}`;
  return {
    milestone: `${parts.join(', ')}${reason}`,
    detail: [...progressPartsOf(migration), elapsedOf(migration, now)].filter((part) => part !== '').join('  '),
  };
}

export interface End {
  readonly outcome: Outcome;
  readonly lines: readonly string[];
}

/** `undefined` while it runs. */
export function describeOutcome(migration: Migration, now: Date): End | undefined {
  const outcome = outcomeOf(migration);
  if (outcome === undefined) return undefined;
  if (outcome === 'Planned')
    return { outcome, lines: describePlan(migration, { objects: 'ToLookAt', fields: 'Hide' }) };
  const { namespace, name } = migration.metadata;
  const head = `Migration ${namespace}/${name}`;
  const what = `${volumesOf(migration)} volumes, ${resourcesOf(migration)} resources`;
  const cost = `${formatBytes(bytesSentOf(migration))} sent in ${elapsedOf(migration, now)}`;
  const reason = migration.status?.reason;
  const lines = [
    `${head} ${outcome}: ${what}, ${cost}`,
    ...(outcome !== 'Successful' && reason ? [`  ${reason}`] : []),
  ];
  return {
    outcome,
    lines: [...lines, ...blockedOf(migration), ...troublesOf(migration), activeSideOf(migration, outcome)],
  };
}

function outcomeOf({ status }: Migration): Outcome | undefined {
  if (status?.stage === 'Planned') return status.status === 'InProgress' ? undefined : 'Planned';
  if (status?.status === 'Failed' && status.stage === 'Final') return 'Failed';
  if (status?.stage !== 'Final') return undefined;
  return status.status === 'Successful' || status.status === 'PartialSuccess' ? status.status : undefined;
}

function blockedOf({ status }: Migration): readonly string[] {
  const blockedMs = status?.rule?.blockedMilliseconds;
  return blockedMs === undefined ? [] : [`  Writers were blocked for ${blockedMs} ms`];
}

const troublesShown = 20;

/** Each item that didn't make it, with its reason. */
function troublesOf({ status }: Migration): readonly string[] {
  const isTrouble = ({ status: state }: { status?: string | undefined }) =>
    state === 'Failed' || state === 'PartialSuccess';
  const volumes = (status?.volumes ?? [])
    .filter(isTrouble)
    .map((one) => `  volume ${one.namespace}/${one.persistentVolumeClaim} ${one.status}: ${one.reason ?? ''}`);
  const resources = (status?.resources ?? [])
    .filter(isTrouble)
    .map(
      (one) =>
        `  ${one.kind} ${one.namespace ? `${one.namespace}/` : ''}${one.name} ${one.status}: ${one.reason ?? ''}`,
    );
  const all = [...volumes, ...resources];
  const more =
    all.length > troublesShown ? [`  and ${all.length - troublesShown} more: see status of the migration`] : [];
  return [...all.slice(0, troublesShown), ...more];
}

/** Always said: which side runs the applications now. The agent's own words, where it left some. */
function activeSideOf({ spec, status }: Migration, outcome: Outcome): string {
  if (status?.activeSide !== undefined && status.activeSide !== '') return status.activeSide;
  if (outcome === 'Failed') return 'This cluster is the active side: its applications were left as they are';
  if (!spec.startApplications) {
    return `This cluster is the active side: on ${spec.clusterPair} the applications are there but not started`;
  }
  return `Started on ${spec.clusterPair}; this cluster's applications still run too`;
}
