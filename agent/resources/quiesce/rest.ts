/**
 * A workload at rest for a while: stopped while volumes that it writes are copied, then as it was. What it was lies on the
 * object itself and is written together with what stops it, so whatever dies in between, the object tells how to bring it
 * back. Pure.
 */
import type { AnyObject } from '../../../kube/client/client.ts';
import { claimGuard, isClaimGuard, losesClaimsScaled } from '../claim-guard.ts';
import { annotate, at, type Fields, fieldsOf, itemsOf, removeField, setField, textOf, withField } from '../fields.ts';
import { storkNames } from '../names.ts';
import type { StoppingField, SwitchChange } from '../switches.ts';

export interface RestOrder {
  /** The uid of the Migration. */
  readonly operation: string;
  /** `namespace/name` of it. */
  readonly migration: string;
  readonly fields: readonly StoppingField[];
}

export interface Rest {
  readonly operation: string;
  readonly migration: string;
  readonly fields: readonly RestedField[];
}

interface RestedField extends StoppingField {
  /** `undefined`: the field was absent. */
  readonly before: unknown;
}

/** What the object says of its rest; `undefined` when it is not stopped by us. */
export function readRest(object: AnyObject): Rest | undefined {
  const parsed = parseJson(object.metadata.annotations?.[storkNames.quiesced]);
  const [operation, migration] = [textOf(parsed.operation), textOf(parsed.migration)];
  if (operation === undefined || migration === undefined) return undefined;
  const fields = itemsOf(parsed.fields).flatMap((item): readonly RestedField[] => {
    const { path, stopping, before } = fieldsOf(item);
    const names = itemsOf(path).flatMap((name) => textOf(name) ?? []);
    const isValue = typeof stopping === 'number' || typeof stopping === 'boolean' || typeof stopping === 'string';
    return names.length === 0 || !isValue ? [] : [{ path: names, stopping, before }];
  });
  return { operation, migration, fields };
}

/**
 * The patch that stops the object; `undefined` when it rests, by us or anyhow. What an operation that is gone left at rest
 * is taken over with what it was before that.
 */
export function planRest(object: AnyObject, order: RestOrder): SwitchChange | undefined {
  const earlier = readRest(object);
  if (earlier?.operation === order.operation) return undefined;
  const fields = order.fields.flatMap((field): RestedField[] => {
    const live = at(object, field.path);
    const rested = earlier?.fields.find(({ path }) => path.join('.') === field.path.join('.'));
    if (live !== field.stopping) return [{ ...field, before: live }];
    return rested === undefined ? [] : [rested];
  });
  if (fields.length === 0) return undefined;
  const guard = earlier?.fields.find(isClaimGuard);
  if (losesClaimsScaled(object)) fields.push({ ...claimGuard, before: at(object, claimGuard.path) });
  else if (guard !== undefined) fields.push(guard);
  const stopped = fields.reduce<Fields>((patch, { path, stopping }) => withField(patch, path, stopping), {});
  const note = JSON.stringify({ operation: order.operation, migration: order.migration, fields });
  return {
    patch: withField(stopped, ['metadata', 'annotations'], { [storkNames.quiesced]: note }),
    texts: fields.map(({ path, stopping }) => `${path.at(-1)} to ${stopping}`),
  };
}

/** The patch that brings it back; `undefined` when it is not this operation's. What somebody changed meanwhile is theirs. */
export function planResume(object: AnyObject, operation: string): SwitchChange | undefined {
  const rest = readRest(object);
  if (rest?.operation !== operation) return undefined;
  const fields = rest.fields.filter(({ path, stopping }) => at(object, path) === stopping);
  // In a merge patch null removes the field: it was absent before.
  const back = fields.reduce<Fields>((patch, { path, before }) => withField(patch, path, before ?? null), {});
  return {
    patch: withField(back, ['metadata', 'annotations'], { [storkNames.quiesced]: null }),
    texts: fields.map(({ path, before }) => `${path.at(-1)} to ${String(before ?? 'unset')}`),
  };
}

/** The object as it is when nothing is copied: how it travels while another migration has stopped it. */
export function withoutRest(object: AnyObject): AnyObject {
  const rest = readRest(object);
  if (rest === undefined) return object;
  const running = rest.fields
    .filter(({ path, stopping }) => at(object, path) === stopping)
    .reduce(
      (current, { path, before }) =>
        before === undefined ? removeField(current, path) : setField(current, path, before),
      object,
    );
  return annotate(running, { [storkNames.quiesced]: undefined });
}

/** `replicas 3`, for people. */
export function describeRest(object: AnyObject): string {
  const fields = readRest(object)?.fields ?? [];
  return fields.map(({ path, before }) => `${path.at(-1)} ${String(before ?? 'unset')}`).join(', ');
}

function parseJson(text: string | undefined): Fields {
  try {
    return fieldsOf(JSON.parse(text ?? ''));
  } catch {
    return {};
  }
}
