/**
 * What a ResourceTransformation makes of one object, after our own rewriting and before it is applied. Pure, and the same
 * for a dry run. An object that a rule does not fit is told with the reason and does not travel half transformed.
 *
 * A field that stops the application (a workload's replicas, a registered kind's switch) keeps its stopping value: what the
 * rule says is what activation will start it with.
 */
import type { AnyObject, ObjectMeta } from '../../../kube/client/client.ts';
import { annotate, type Fields, fieldsOf, isFields, itemsOf, label, removeField, setField } from '../fields.ts';
import { storkNames, storkPrefix } from '../names.ts';
import { groupKindOf, splitApiVersion } from '../resource-ref.ts';
import { readSwitches, type Switch } from '../switches.ts';
import { Misfit, placeAt, readAt, removeAt, textOfPath } from './field-path.ts';
import { applySteps } from './json-patch.ts';
import type { TransformOperation, TransformRule } from './parse-transformation.ts';

export type TransformOutcome =
  /** No rule names it. */
  | { readonly did: 'Nothing' }
  | { readonly did: 'Transform'; readonly object: AnyObject }
  | { readonly did: 'NotFit'; readonly reason: string };

export function transformByRules(
  object: AnyObject,
  transformation: { readonly name: string; readonly rules: readonly TransformRule[] },
): TransformOutcome {
  const rules = transformation.rules.filter((rule) => isMeant(rule, object));
  if (rules.length === 0) return { did: 'Nothing' };
  try {
    const switches = readSwitches(object);
    const changed = rules.reduce((current, rule) => carryOut(current, rule), running(object, switches));
    const kept = withOwnMarks(resting(changed, switches), object);
    return { did: 'Transform', object: annotate(kept, { [storkNames.transformation]: transformation.name }) };
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    return { did: 'NotFit', reason: `ResourceTransformation ${transformation.name} does not fit it: ${error.message}` };
  }
}

/** Whether the rule names the object, by group, kind and labels. */
export function isMeant(rule: TransformRule, object: AnyObject): boolean {
  if (rule.kind !== groupKindOf(object)) return false;
  const labels = object.metadata.labels ?? {};
  return Object.entries(rule.selectors).every(([name, value]) => labels[name] === value);
}

function carryOut(current: AnyObject, rule: TransformRule): AnyObject {
  const { version } = splitApiVersion(current.apiVersion);
  if (version !== rule.version) {
    throw new Misfit(`it travels as version ${version}, and the paths are those of version ${rule.version}`);
  }
  const fields = rule.operations.reduce<Fields>((value, operation) => fieldsOf(operate(value, operation)), current);
  const { apiVersion, kind, metadata } = current;
  const { labels: _labels, annotations: _annotations, ...identity } = metadata;
  const changed = fieldsOf(fields.metadata);
  return {
    ...fields,
    ...{ apiVersion, kind },
    metadata: { ...identity, ...texts(changed, 'labels'), ...texts(changed, 'annotations') },
  };
}

function operate(value: Fields, operation: TransformOperation): unknown {
  switch (operation.do) {
    case 'delete':
      return removeAt(value, operation.path);
    case 'jsonpatch':
      return applySteps(value, operation.steps);
    case 'add':
      return placeAt(value, operation.path, { value: () => operation.value, items: 'Insert', parents: 'Make' });
    case 'modify':
      return placeAt(value, operation.path, {
        value: (there) => modified(there, operation),
        items: 'Replace',
        parents: 'Make',
      });
    default:
      return operation satisfies never;
  }
}

/** Stork's modify: pairs are merged into a map that is there, items added to a list, anything else replaced. */
function modified(there: unknown, operation: Extract<TransformOperation, { readonly do: 'add' | 'modify' }>): unknown {
  const path = textOfPath(operation.path);
  switch (operation.type) {
    case 'keypair':
      if (!isFields(there)) throw new Misfit(`${path} holds no key-value pairs to modify; use operation add`);
      return { ...there, ...fieldsOf(operation.value) };
    case 'slice':
      if (there !== undefined && !Array.isArray(there)) throw new Misfit(`${path} is no list`);
      return [...itemsOf(there), ...itemsOf(operation.value)];
    default:
      return operation.value;
  }
}

function texts(metadata: Fields, name: 'labels' | 'annotations'): Pick<ObjectMeta, 'labels' | 'annotations'> {
  const value = metadata[name];
  if (value === undefined) return {};
  const odd = isFields(value) ? Object.entries(value).find(([, text]) => typeof text !== 'string')?.[0] : name;
  if (odd !== undefined) throw new Misfit(`/metadata/${name} would hold something else than text (${odd})`);
  return { [name]: Object.fromEntries(Object.entries(fieldsOf(value)).map(([key, text]) => [key, String(text)])) };
}

/** Rules are made for the application as it runs. */
const running = (object: AnyObject, switches: readonly Switch[]): AnyObject =>
  switches.reduce(
    (current, one) =>
      one.running === undefined ? removeField(current, one.path) : setField(current, one.path, one.running),
    object,
  );

function resting(changed: AnyObject, switches: readonly Switch[]): AnyObject {
  return switches.reduce((current, one) => {
    const wanted = readAt(current, one.path);
    const rests = setField(current, one.path, one.stopping);
    return wanted === one.running ? rests : annotate(rests, { [one.annotation]: runningText(one, wanted) });
  }, changed);
}

function runningText({ annotation, path, stopping }: Switch, wanted: unknown): string {
  if (annotation === storkNames.migrationReplicas) {
    if (wanted === undefined) return '1';
    if (typeof wanted === 'number' && Number.isInteger(wanted) && wanted >= 0) return String(wanted);
    throw new Misfit(`${textOfPath(path)} must be a whole number, not ${JSON.stringify(wanted)}`);
  }
  if (wanted !== undefined && typeof wanted === 'object') throw new Misfit(`${textOfPath(path)} must be a plain value`);
  return `${wanted ?? ''},${stopping}`;
}

/** A map that was replaced or removed as a whole keeps what is Stork's own in it. */
function withOwnMarks(changed: AnyObject, original: AnyObject): AnyObject {
  const labels = ownOf(original.metadata.labels);
  const annotations = { ...ownOf(original.metadata.annotations), ...ownOf(changed.metadata.annotations) };
  return annotate(Object.keys(labels).length === 0 ? changed : label(changed, labels), annotations);
}

const ownOf = (entries: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(entries).filter(([name]) => name.startsWith(storkPrefix)));
