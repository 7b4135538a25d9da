/** A plan in words and tables: what needs a look first, then volumes, kinds and objects. Pure. */
import { unpackObjects } from '../../crds/packed-plan.ts';
import type { Migration, MigrationPlan, PlanAction, PlannedObject } from '../../crds/v1alpha1/index.ts';
import { formatBytes } from './format-bytes.ts';
import { formatDuration } from './format-time.ts';
import { printable, renderTable } from './render-table.ts';

export interface PlanView {
  /** `All`: also what is created or left as it is. */
  readonly objects: 'ToLookAt' | 'All';
  /** The fields that would change, too. */
  readonly fields: 'Show' | 'Hide';
}

/** Objects shown unless all are asked for; the rest is counted. */
const objectsShown = 50;

export function describePlan(migration: Migration, view: PlanView): readonly string[] {
  const plan = migration.status?.plan;
  if (plan === undefined) return [headOf(migration), `  ${printable(migration.status?.reason ?? '')}`];
  const objects = allObjectsOf(plan);
  return [
    headOf(migration),
    ...listed('refused', plan.refusals),
    ...listed('missing', plan.missing),
    ...listed('warning', plan.warnings),
    ...section(volumeTable(plan)),
    ...section(kindTable(plan)),
    ...section(objectTable(objects, view)),
    ...(view.fields === 'Show' ? section(fieldChanges(objects)) : []),
    ...section([
      ...listed('stopped while it is copied', plan.stops),
      ...listed('rule', plan.rules),
      ...listed('webhook', plan.webhooks),
      ...listed('image', plan.images),
    ]),
    ...section([...amounts(plan), `Active side after it: ${printable(plan.activeSideAfter ?? 'unknown')}`]),
    'Nothing was changed on either cluster',
  ];
}

/** The whole list, unpacked. @throws SchemaError */
export function allObjectsOf(plan: MigrationPlan): readonly PlannedObject[] {
  return plan.packedObjects === undefined ? (plan.objects ?? []) : unpackObjects(plan.packedObjects);
}

/** The Migration with the whole list in plain words, for `-o json` and `-o yaml`. */
export function withAllObjects(migration: Migration): Migration {
  const { status } = migration;
  if (status?.plan === undefined) return migration;
  const { packedObjects: _, ...plan } = status.plan;
  return { ...migration, status: { ...status, plan: { ...plan, objects: allObjectsOf(status.plan) } } };
}

/** `deployment.apps/web`, as kubectl names objects. */
export const nameOfPlanned = ({ kind = '', group = '', name = '' }: PlannedObject): string =>
  `${kind.toLowerCase()}${group === '' ? '' : `.${group}`}/${name}`;

export const writtenActions: ReadonlySet<PlanAction> = new Set(['Create', 'Update', 'Delete']);

function headOf({ spec, status }: Migration): string {
  const what = `${(spec.namespaces ?? []).join(', ') || 'the selected namespaces'} to ${spec.clusterPair}`;
  switch (status?.plan?.verdict) {
    case 'Ready':
      return `Migrating ${what} would succeed`;
    case 'Partial':
      return `Migrating ${what} would succeed in part`;
    case 'Refused':
      return `Migrating ${what} would be refused`;
    default:
      return `Migrating ${what} could not be planned`;
  }
}

const listed = (what: string, sentences: readonly string[] = []): readonly string[] =>
  sentences.map((sentence) => `  ${what}: ${printable(sentence)}`);

const section = (lines: readonly string[]): readonly string[] => (lines.length === 0 ? [] : ['', ...lines]);

function volumeTable({ volumes = [] }: MigrationPlan): readonly string[] {
  if (volumes.length === 0) return [];
  const rows = volumes.map((volume) => [
    `${volume.namespace}/${volume.persistentVolumeClaim}`,
    volume.action,
    volume.storageClass ?? '',
    volume.usedBytes === undefined ? 'unknown' : formatBytes(volume.usedBytes),
    formatBytes(volume.capacityBytes ?? 0),
    volume.cut === 'Live' ? 'live' : 'snapshot',
    volume.reason ?? '',
  ]);
  return [renderTable(['VOLUME', 'ACTION', 'STORAGECLASS', 'USED', 'CAPACITY', 'READ FROM', 'REASON'], rows)];
}

function kindTable({ kinds = [] }: MigrationPlan): readonly string[] {
  if (kinds.length === 0) return [];
  const rows = kinds.map(({ kind, group, create, update, unchanged, other }) => [
    group ? `${kind}.${group}` : kind,
    ...[create, update, unchanged, other].map((count) => String(count ?? 0)),
  ]);
  return [renderTable(['KIND', 'CREATE', 'UPDATE', 'UNCHANGED', 'OTHER'], rows)];
}

const toLookAt: ReadonlySet<PlanAction> = new Set(['Conflict', 'Fail', 'Delete', 'Update', 'Skip']);

function objectTable(objects: readonly PlannedObject[], view: PlanView): readonly string[] {
  const wanted = view.objects === 'All' ? objects : objects.filter(({ action }) => toLookAt.has(action));
  const shown = view.objects === 'All' ? wanted : wanted.slice(0, objectsShown);
  if (shown.length === 0) return [];
  const rows = shown.map((object) => [object.action, textOf(object), object.reason ?? '']);
  const left = wanted.length - shown.length;
  const more = left > 0 ? [`and ${left} more: -o wide shows all`] : [];
  return [renderTable(['ACTION', 'OBJECT', 'REASON'], rows), ...more];
}

const textOf = ({ kind = '', namespace = '', name = '' }: PlannedObject): string =>
  `${kind.toLowerCase()} ${namespace === '' ? '' : `${namespace}/`}${name}`;

function fieldChanges(objects: readonly PlannedObject[]): readonly string[] {
  return objects
    .filter(({ changes = [] }) => changes.length > 0)
    .flatMap((object) => [
      textOf(object),
      ...(object.changes ?? []).map(({ path, before, after }) =>
        printable(`  ${path}: ${before ?? '(absent)'} -> ${after ?? '(absent)'}`),
      ),
    ]);
}

function amounts({ bytesTotal = 0, volumesUnknown = 0, volumes = [], estimate }: MigrationPlan): readonly string[] {
  if (volumes.length === 0) return [];
  const unknown = volumesUnknown === 0 ? '' : `, and ${volumesUnknown} volumes of unknown content`;
  const how = printable(estimate?.how ?? 'unknown');
  const time = estimate?.seconds === undefined ? how : `about ${formatDuration(estimate.seconds * 1000)} (${how})`;
  return [`Volumes hold: ${formatBytes(bytesTotal)}${unknown}`, `Time: ${time}`];
}
