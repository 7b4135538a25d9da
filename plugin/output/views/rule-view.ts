/** Rules: Stork's tool has no table for them; ours names the pods and what runs in them. */
import { type Rule, rules } from '../../../crds/v1alpha1/index.ts';
import { formatTime } from '../format-time.ts';
import type { ObjectView } from '../object-view.ts';

export const ruleView: ObjectView<Rule> = {
  kind: rules,
  words: ['rule', 'rules'],
  title: 'Rule',
  completes: 'Rules',
  columns: [
    { name: 'PODS', cell: (rule) => rule.rules.map((item) => selectorOf(item.podSelector)).join(' ') },
    { name: 'ACTIONS', cell: (rule) => String(rule.rules.reduce((sum, item) => sum + item.actions.length, 0)) },
    {
      name: 'BACKGROUND',
      cell: (rule) => String(rule.rules.some((item) => item.actions.some((action) => action.background))),
    },
    { name: 'CREATED', cell: (rule) => formatTime(rule.metadata.creationTimestamp) },
  ],
};

export function selectorOf(labels: Readonly<Record<string, string>> | undefined): string {
  const terms = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return terms.length === 0 ? '<all>' : terms.join(',');
}
