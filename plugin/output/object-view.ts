/** How a kind looks in tables and on the command line: a file per kind in output/views. */
import type { Kind } from '../../crds/schema/index.ts';
import type { KubeObject } from '../../kube/client/client.ts';
import type { Completes } from '../flag.ts';

export interface Column<T extends KubeObject> {
  readonly name: string;
  readonly cell: (object: T, now: Date) => string;
  /** Shown with `-o wide` only. */
  readonly wide?: 'Yes';
}

export interface ObjectView<T extends KubeObject> {
  readonly kind: Kind<T, KubeObject>;
  /** The word on the command line, then its other spellings. */
  readonly words: readonly [string, ...string[]];
  /** For messages: `Migration`. */
  readonly title: string;
  readonly completes: Completes;
  /** After NAMESPACE (with -A) and NAME. */
  readonly columns: readonly Column<T>[];
}

/** The table's columns and one object's cells. Pure. */
export function columnsOf<T extends KubeObject>(
  view: ObjectView<T>,
  shown: { readonly wide: 'Yes' | 'No'; readonly namespaces: 'Show' | 'Hide' },
): readonly string[] {
  const columns = view.columns.filter((column) => column.wide === undefined || shown.wide === 'Yes');
  return [...(shown.namespaces === 'Show' ? ['NAMESPACE'] : []), 'NAME', ...columns.map(({ name }) => name)];
}

export function cellsOf<T extends KubeObject>(
  view: ObjectView<T>,
  object: T,
  shown: { readonly wide: 'Yes' | 'No'; readonly namespaces: 'Show' | 'Hide'; readonly now: Date },
): readonly string[] {
  const columns = view.columns.filter((column) => column.wide === undefined || shown.wide === 'Yes');
  const { namespace, name } = object.metadata;
  const cells = columns.map((column) => column.cell(object, shown.now));
  return [...(shown.namespaces === 'Show' ? [namespace ?? ''] : []), name, ...cells];
}
