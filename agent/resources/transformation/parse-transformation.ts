/**
 * A ResourceTransformation as rules that can be carried out, or everything that is wrong with it, each problem by the path
 * of its field. Pure.
 */
import type { TransformPath, TransformSpec } from '../../../crds/v1alpha1/index.ts';
import type { GroupKind } from '../resource-ref.ts';
import { type FieldPath, parsePath, textOfPath } from './field-path.ts';
import { type PatchStep, parseJsonPatch } from './json-patch.ts';
import { parseValue } from './parse-value.ts';
import { whyProtected } from './why-protected.ts';

export type TransformOperation =
  | {
      readonly do: 'add' | 'modify';
      readonly path: FieldPath;
      readonly type: TransformPath['type'];
      readonly value: unknown;
    }
  | { readonly do: 'delete'; readonly path: FieldPath }
  | { readonly do: 'jsonpatch'; readonly steps: readonly PatchStep[] };

export interface TransformRule {
  readonly kind: GroupKind;
  readonly version: string;
  /** Labels an object must have, all of them. */
  readonly selectors: Readonly<Record<string, string>>;
  readonly operations: readonly TransformOperation[];
}

export type ParsedTransformation =
  | { readonly valid: 'Yes'; readonly rules: readonly TransformRule[] }
  | { readonly valid: 'No'; readonly problems: readonly string[] };

export function parseTransformation(specs: readonly TransformSpec[]): ParsedTransformation {
  const problems: string[] = [];
  const rules = specs.map((spec, at): TransformRule => {
    const where = `specs.transformSpecs[${at}]`;
    const [group = '', version = '', kind = ''] = spec.resource.split('/');
    const refused = uncarried[`${group}/${kind}`];
    if (refused !== undefined) problems.push(`${where}.resource: ${refused}`);
    const operations = spec.paths.flatMap((path, index): readonly TransformOperation[] => {
      const operation = parseOperation(path);
      const limited = typeof operation === 'string' ? undefined : whyNotOfClaims(`${group}/${kind}`, operation);
      if (typeof operation !== 'string' && limited === undefined) return [operation];
      problems.push(`${where}.paths[${index}]: ${limited ?? operation}`);
      return [];
    });
    return { kind: `${group}/${kind}`, version, selectors: spec.selectors ?? {}, operations };
  });
  return problems.length === 0 ? { valid: 'Yes', rules } : { valid: 'No', problems };
}

/** Kinds that never travel as objects. */
const uncarried: Readonly<Record<GroupKind, string>> = {
  '/PersistentVolume': 'the destination makes its own volumes; transform the PersistentVolumeClaim',
  '/Pod': 'pods do not travel; transform the workload that makes them',
};

/** Of a claim only these reach the destination's own: the rest describes its volume here. */
const claimFields = ['/metadata/labels', '/metadata/annotations', '/spec/storageClassName'];

function whyNotOfClaims(kind: GroupKind, operation: TransformOperation): string | undefined {
  if (kind !== '/PersistentVolumeClaim') return undefined;
  const paths = operation.do === 'jsonpatch' ? operation.steps.map(({ path }) => path) : [operation.path];
  const odd = paths.map(textOfPath).find((path) => !claimFields.some((field) => `${path}/`.startsWith(`${field}/`)));
  return odd === undefined
    ? undefined
    : `${odd}: of a PersistentVolumeClaim only ${claimFields.join(', ')} are transformed`;
}

/** The operation, or what is wrong with it. */
function parseOperation(spec: TransformPath): TransformOperation | string {
  const parsed = parsePath(spec.path);
  if (parsed.valid === 'No') return parsed.reason;
  const { path } = parsed;
  switch (spec.operation) {
    case 'delete':
      return whyProtected(path) ?? { do: 'delete', path };
    case 'jsonpatch': {
      const patch = parseJsonPatch(spec.value ?? '', path);
      return patch.valid === 'No' ? patch.reason : { do: 'jsonpatch', steps: patch.steps };
    }
    case 'add':
    case 'modify': {
      const value = parseValue(spec.value ?? '', spec.type);
      if (value.valid === 'No') return `value ${value.reason}`;
      return whyProtected(path, value.value) ?? { do: spec.operation, path, type: spec.type, value: value.value };
    }
    default:
      return spec.operation satisfies never;
  }
}
