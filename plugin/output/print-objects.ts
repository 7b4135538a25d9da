/** Prints objects of one kind in the asked format; several become a `v1 List`, as kubectl does. */
import { stringify } from 'yaml';
import type { Kind } from '../../crds/schema/index.ts';
import type { KubeObject } from '../../kube/client/client.ts';
import { evaluateJsonPath } from './evaluate-jsonpath.ts';
import { maskCredentials } from './mask-credentials.ts';
import { cellsOf, columnsOf, type ObjectView } from './object-view.ts';
import type { OutputFormat } from './output-format.ts';
import { renderTable } from './render-table.ts';

export interface PrintOptions {
  readonly format: OutputFormat;
  readonly headers: 'Show' | 'Hide';
  readonly namespaces: 'Show' | 'Hide';
  readonly now: Date;
  /** One object asked for by name is printed as itself. */
  readonly as: 'One' | 'List';
}

export function printObjects<T extends KubeObject>(
  view: ObjectView<T>,
  objects: readonly T[],
  options: PrintOptions,
): string {
  const { format, headers, namespaces, now } = options;
  if (format.kind === 'table' || format.kind === 'wide') {
    const shown = { wide: format.kind === 'wide' ? 'Yes' : 'No', namespaces, now } as const;
    const rows = objects.map((object) => cellsOf(view, object, shown));
    return renderTable(columnsOf(view, shown), rows, { headers });
  }
  if (format.kind === 'name') return objects.map((object) => nameOf(view.kind, object)).join('\n');
  const [only] = objects;
  const items = objects.map(forPrinting);
  const printed =
    options.as === 'One' && only !== undefined
      ? forPrinting(only)
      : { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items };
  if (format.kind === 'jsonpath') return evaluateJsonPath(format.template, printed);
  return renderStructure(printed, format.kind);
}

export function renderStructure(value: unknown, kind: 'json' | 'yaml'): string {
  if (kind === 'json') return JSON.stringify(value, undefined, 4);
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd();
}

/** `migration.stork.libopenstorage.org/name`. */
export function nameOf(kind: Kind<KubeObject, KubeObject>, object: KubeObject): string {
  return `${kind.singular}.${kind.group}/${object.metadata.name}`;
}

/** Without managedFields, as kubectl prints since 1.21, and with inline credentials of Stork's manifests masked. */
function forPrinting<T extends KubeObject>(object: T): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return maskCredentials({ ...object, metadata });
}
