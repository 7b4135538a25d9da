/**
 * What starts and stops an application, read from the object itself: Stork's annotations name the fields and what they
 * were. So a destination can start what it received without knowing its kind. Pure.
 */
import type { AnyObject } from '../../kube/client/client.ts';
import { claimGuard, isClaimGuard, losesClaimsScaled } from './claim-guard.ts';
import { annotate, at, type Fields, numberOf, removeField, setField, withField } from './fields.ts';
import { storkNames, storkPrefix, suspendAnnotation } from './names.ts';

export type SwitchValue = number | boolean | string;

export interface Switch {
  readonly path: readonly string[];
  readonly annotation: string;
  readonly stopping: SwitchValue;
  /** `undefined`: the field was absent. */
  readonly running: SwitchValue | undefined;
}

const replicasPath = ['spec', 'replicas'] as const;

/** The switches that the object's annotations name. */
export function readSwitches(object: AnyObject): readonly Switch[] {
  return Object.entries(object.metadata.annotations ?? {}).flatMap(([annotation, text]): readonly Switch[] => {
    if (annotation === storkNames.migrationReplicas) {
      const running = /^\d{1,9}$/.test(text) ? Number(text) : undefined;
      return running === undefined ? [] : [{ path: replicasPath, annotation, stopping: 0, running }];
    }
    if (!annotation.startsWith(`${storkPrefix}spec.`)) return [];
    const path = annotation.slice(storkPrefix.length).split('.');
    const comma = text.lastIndexOf(',');
    if (comma === -1) return [];
    const stopping = parseValue(text.slice(comma + 1), at(object, path));
    const before = text.slice(0, comma);
    return [{ path, annotation, stopping, running: before === '' ? undefined : parseValue(before, stopping) }];
  });
}

/** The object without its switches' fields and annotations: the part that a sync may always write. */
export function withoutSwitches(object: AnyObject, switches: readonly Switch[]): AnyObject {
  return removeField(
    object,
    ...switches.flatMap(({ path, annotation }) => [path, ['metadata', 'annotations', annotation]]),
  );
}

/** Only the switches, as they are in `object`: what the activation manager applies. */
export function onlySwitches(object: AnyObject, switches: readonly Switch[]): AnyObject {
  return copySwitches(nameOnly(object), object, { annotations: switches, fields: switches });
}

/**
 * The switches of a live object as they are: every annotation, and the fields that still stand at their stopping value.
 * `undefined`: it has none.
 */
export function keptSwitches(live: AnyObject): AnyObject | undefined {
  return readSwitches(live).length === 0 ? undefined : withKeptSwitches(nameOnly(live), live);
}

/** `object` with the switches of the live one, as {@link keptSwitches}. */
export function withKeptSwitches(object: AnyObject, live: AnyObject): AnyObject {
  const annotations = readSwitches(live);
  const fields = annotations.filter(({ path, stopping }) => at(live, path) === stopping);
  return copySwitches(object, live, { annotations, fields });
}

function nameOnly({ apiVersion, kind, metadata: { name, namespace } }: AnyObject): AnyObject {
  return { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } };
}

function copySwitches(
  to: AnyObject,
  from: AnyObject,
  which: { readonly annotations: readonly Switch[]; readonly fields: readonly Switch[] },
): AnyObject {
  const marks = which.annotations.map(({ annotation }) => [annotation, from.metadata.annotations?.[annotation]]);
  return which.fields.reduce(
    (current, { path }) => setField(current, path, at(from, path)),
    annotate(to, Object.fromEntries(marks)),
  );
}

/** Whether the live object rests: every switch stands at its stopping value. */
export const isResting = (live: AnyObject, switches: readonly Switch[]): boolean =>
  switches.every(({ path, stopping }) => at(live, path) === stopping);

export interface SwitchChange {
  /** A JSON merge patch, without metadata.resourceVersion. */
  readonly patch: Fields;
  /** `replicas … to 3` or `suspend option … to false`, one a switch. */
  readonly texts: readonly string[];
}

/** The patch that starts the object; `undefined` when it runs as recorded, or nothing is recorded. */
export function planStart(object: AnyObject): SwitchChange | undefined {
  const changed = readSwitches(object).filter(({ path, running, stopping }) => {
    const live = at(object, path);
    // Somebody scaled it since: it runs, and how many is theirs to say.
    return live !== running && live === stopping;
  });
  return changeOf(changed.map(({ path, running }) => ({ path, value: running })));
}

/**
 * The patch that stops the object and records what it was; `undefined` when it rests. `registered`: the fields that stop its
 * kind, for an object that carries no annotation of ours.
 */
export function planStop(object: AnyObject, registered: readonly StoppingField[] = []): SwitchChange | undefined {
  const known = readSwitches(object);
  const byKind = registered.length > 0 ? registered.map(switchOf) : defaultSwitches(object);
  const all = (known.length > 0 ? known : byKind).filter((one) => !isClaimGuard(one));
  const stopped = all.filter(({ path, stopping }) => at(object, path) !== stopping);
  if (stopped.length === 0) return undefined;
  const changed = losesClaimsScaled(object) ? [...stopped, switchOf(claimGuard)] : stopped;
  const annotations = changed.map(({ path, annotation, stopping }) => {
    const live = at(object, path);
    const text =
      annotation === storkNames.migrationReplicas ? String(numberOf(live) ?? 1) : `${live ?? ''},${stopping}`;
    return [annotation, text] as const;
  });
  // It ran with Retain: that is to stay.
  const unneeded = known.filter((one) => isClaimGuard(one) && !losesClaimsScaled(object));
  const removed = unneeded.map(({ annotation }) => [annotation, null] as const);
  const change = changeOf(changed.map(({ path, stopping }) => ({ path, value: stopping })));
  if (change === undefined) return undefined;
  return {
    ...change,
    patch: withField(change.patch, ['metadata', 'annotations'], Object.fromEntries([...annotations, ...removed])),
  };
}

/** A field that stops objects of a kind, and what it stops them with. */
export interface StoppingField {
  readonly path: readonly string[];
  readonly stopping: SwitchValue;
}

const switchOf = ({ path, stopping }: StoppingField): Switch => ({
  ...{ path, stopping },
  annotation: suspendAnnotation(path),
  running: undefined,
});

/** How kinds without annotations of ours are stopped. */
function defaultSwitches(object: AnyObject): readonly Switch[] {
  if (object.kind === 'CronJob') {
    const path = ['spec', 'suspend'];
    return [{ path, annotation: `${storkPrefix}${path.join('.')}`, stopping: true, running: undefined }];
  }
  if (numberOf(at(object, replicasPath)) === undefined) return [];
  return [{ path: replicasPath, annotation: storkNames.migrationReplicas, stopping: 0, running: undefined }];
}

function changeOf(
  fields: readonly { readonly path: readonly string[]; readonly value: SwitchValue | undefined }[],
): SwitchChange | undefined {
  if (fields.length === 0) return undefined;
  // In a merge patch null removes the field: it was absent before it was stopped.
  const patch = fields.reduce<Fields>((all, { path, value }) => withField(all, path, value ?? null), {});
  return { patch, texts: fields.map(({ path, value }) => `${path.at(-1)} to ${value ?? 'unset'}`) };
}

/** Text back to the type that the field has, else to what it looks like. */
function parseValue(text: string, like: unknown): SwitchValue {
  if (typeof like === 'string') return text;
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
}
