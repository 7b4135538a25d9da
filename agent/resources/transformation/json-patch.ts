/** JSON patch (RFC 6902) as the value of a `jsonpatch` operation: read, checked, applied. Pure. */
import { parse as parseYaml } from 'yaml';
import { isFields, sameJson, textOf } from '../fields.ts';
import { type FieldPath, Misfit, parsePath, placeAt, readAt, removeAt, textOfPath } from './field-path.ts';
import { whyProtected } from './why-protected.ts';

export type PatchStep =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: FieldPath; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: FieldPath };

const maxSteps = 500;

export type ParsedPatch =
  | { readonly valid: 'Yes'; readonly steps: readonly PatchStep[] }
  | { readonly valid: 'No'; readonly reason: string };

/** `text` is a JSON or YAML list of steps whose pointers begin at `base`. */
export function parseJsonPatch(text: string, base: FieldPath): ParsedPatch {
  const list = readList(text);
  if (list === undefined) return invalid('value is no list of JSON patch steps');
  if (list.length > maxSteps) return invalid(`value has ${list.length} steps; at most ${maxSteps}`);
  const steps: PatchStep[] = [];
  for (const [index, item] of list.entries()) {
    const step = parseStep(item, base);
    if (typeof step === 'string') return invalid(`step ${index}: ${step}`);
    steps.push(step);
  }
  return { valid: 'Yes', steps };
}

/** @throws Misfit */
export function applySteps(document: unknown, steps: readonly PatchStep[]): unknown {
  return steps.reduce(applyStep, document);
}

function applyStep(document: unknown, step: PatchStep): unknown {
  const isThere = readAt(document, step.path) !== undefined;
  if (step.op !== 'add' && !isThere) throw new Misfit(`${textOfPath(step.path)} is not there`);
  switch (step.op) {
    case 'test':
      if (sameJson(readAt(document, step.path), step.value)) return document;
      throw new Misfit(`${textOfPath(step.path)} is not what the patch tests for`);
    case 'remove':
      return removeAt(document, step.path);
    case 'add':
    case 'replace': {
      const items = step.op === 'add' ? 'Insert' : 'Replace';
      return placeAt(document, step.path, { value: () => step.value, items, parents: 'Require' });
    }
    default:
      return step satisfies never;
  }
}

function parseStep(item: unknown, base: FieldPath): PatchStep | string {
  if (!isFields(item)) return 'it is no object';
  const pointer = textOf(item.path);
  if (pointer === undefined || !pointer.startsWith('/')) return 'its path is no JSON pointer';
  const parsed = parsePath(pointer);
  if (parsed.valid === 'No') return parsed.reason;
  const path = [...base, ...parsed.path];
  switch (item.op) {
    case 'add':
    case 'replace':
    case 'test': {
      if (!('value' in item)) return `${item.op} needs a value`;
      const refused = item.op === 'test' ? undefined : whyProtected(path, item.value);
      return refused ?? { op: item.op, path, value: item.value };
    }
    case 'remove':
      return whyProtected(path) ?? { op: 'remove', path };
    default:
      return `op ${JSON.stringify(item.op)} is not carried out; add, replace, remove and test are`;
  }
}

function readList(text: string): readonly unknown[] | undefined {
  try {
    const list: unknown = parseYaml(text, { maxAliasCount: 0 });
    return Array.isArray(list) ? list : undefined;
  } catch {
    return undefined;
  }
}

const invalid = (reason: string): ParsedPatch => ({ valid: 'No', reason });
