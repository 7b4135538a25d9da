/** Which admission webhooks of this cluster would see incoming objects. Pure: it reads configurations, it calls nobody. */
import type { KubeObject } from '../../../kube/client/client.ts';
import { type Fields, fieldsOf, isFields, itemsOf, textOf } from '../../resources/fields.ts';
import { matchesSelector } from '../../resources/matches-selector.ts';

/** Objects of one kind in one namespace that would be written. */
export interface IncomingKind {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** Empty: cluster-scoped. */
  readonly namespace: string;
  readonly create: boolean;
  readonly update: boolean;
}

export type LabelsOfNamespaces = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** One sentence a webhook. */
export function describeWebhooks(
  configurations: readonly KubeObject[],
  incoming: readonly IncomingKind[],
  labels: LabelsOfNamespaces,
): readonly string[] {
  return configurations.flatMap((configuration) =>
    itemsOf(fieldsOf(configuration).webhooks).flatMap((hook) => {
      const sentence = describeWebhook(configuration, fieldsOf(hook), { incoming, labels });
      return sentence === undefined ? [] : [sentence];
    }),
  );
}

function describeWebhook(
  { kind, metadata }: KubeObject,
  hook: Fields,
  of: { readonly incoming: readonly IncomingKind[]; readonly labels: LabelsOfNamespaces },
): string | undefined {
  const seen = of.incoming.filter((one) => itemsOf(hook.rules).some((rule) => isRuled(one, fieldsOf(rule), hook)));
  const inside = seen.filter(({ namespace }) => {
    const labels = namespace === '' ? undefined : of.labels.get(namespace);
    return labels === undefined || matchesSelector(labels, hook.namespaceSelector);
  });
  if (inside.length === 0) return undefined;
  const kinds = [...new Set(inside.map(({ group, plural }) => (group === '' ? plural : `${plural}.${group}`)))];
  const type = kind === 'MutatingWebhookConfiguration' ? 'may change' : 'may refuse';
  const only = isNarrowed(hook) ? ' those it selects of' : '';
  const policy =
    hook.failurePolicy === 'Ignore'
      ? 'ignored when it does not answer'
      : 'needed: nothing is written without its answer';
  return `${metadata.name} (${textOf(hook.name) ?? ''}) ${type}${only} ${kinds.toSorted().join(', ')}; ${policy}`;
}

/** It looks at single objects, which only the API server can tell. */
const isNarrowed = ({ objectSelector, matchConditions }: Fields): boolean =>
  itemsOf(matchConditions).length > 0 || (isFields(objectSelector) && Object.keys(objectSelector).length > 0);

function isRuled(incoming: IncomingKind, rule: Fields, { matchPolicy }: Fields): boolean {
  const names = (list: unknown, wanted: string) => itemsOf(list).some((name) => name === '*' || name === wanted);
  const operations = [...(incoming.create ? ['CREATE'] : []), ...(incoming.update ? ['UPDATE'] : [])];
  const scope = incoming.namespace === '' ? 'Cluster' : 'Namespaced';
  return (
    operations.some((operation) => names(rule.operations, operation)) &&
    names(rule.apiGroups, incoming.group) &&
    // Equivalent, the default: the same kind in any version.
    (matchPolicy !== 'Exact' || names(rule.apiVersions, incoming.version)) &&
    (names(rule.resources, incoming.plural) || itemsOf(rule.resources).includes('*/*')) &&
    (rule.scope === undefined || rule.scope === '*' || rule.scope === scope)
  );
}
