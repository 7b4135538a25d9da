/** A Rule in words: which pods, which commands, for how long. Pure. */
import type { Rule } from '../../../crds/v1alpha1/index.ts';
import { formatTime } from '../format-time.ts';
import { selectorOf } from '../views/rule-view.ts';
import { facts, tableSection } from './section.ts';

export function tellRule({ metadata, rules }: Rule): readonly string[] {
  const rows = rules.flatMap((item) =>
    item.actions.map((action) => [
      selectorOf(item.podSelector),
      item.container ?? 'the first',
      action.runInSinglePod ? 'one pod' : 'each pod',
      howOf(action),
      action.onError ?? 'Fail',
      action.value.split('\n')[0] ?? '',
    ]),
  );
  return [
    facts([
      ['Rule', `${metadata.namespace}/${metadata.name}`],
      ['Made', formatTime(metadata.creationTimestamp)],
    ]),
    ...tableSection('Actions', ['PODS', 'CONTAINER', 'IN', 'HOW', 'ON ERROR', 'COMMAND'], rows),
  ];
}

function howOf({ background, timeoutSeconds }: Rule['rules'][number]['actions'][number]): string {
  const limit = timeoutSeconds === undefined ? '' : `, ${timeoutSeconds} s at most`;
  return background ? `held until every volume is cut${limit}` : `to its end${limit}`;
}
