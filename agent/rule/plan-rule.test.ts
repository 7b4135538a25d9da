import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestRule, planRule, type RulePod } from './plan-rule.ts';
import { type RuleSource, ruleLimits, waitCommandPlaceholder } from './rule-run.ts';

const pod = (name: string, fields: Partial<RulePod> = {}): RulePod => ({
  namespace: 'shop',
  name,
  uid: `uid-${name}`,
  labels: { app: 'mariadb' },
  containers: ['db', 'sidecar'],
  state: 'Running',
  ...fields,
});

const plan = (rules: RuleSource['rules'], fields: Partial<Parameters<typeof planRule>[0]> = {}) =>
  planRule({
    operationUid: 'op',
    rule: { metadata: { name: 'hold', namespace: 'shop' }, rules },
    position: 'Pre',
    attempt: 1,
    namespaces: ['shop'],
    pods: [pod('b'), pod('a')],
    limits: ruleLimits,
    ...fields,
  });

const command = { type: 'command', value: 'true' };
const hold = { type: 'command', background: true, value: `lock; ${waitCommandPlaceholder}` };
const podSelector = { app: 'mariadb' };

describe('planning a rule', () => {
  it('lists every action for every matching pod, in the order of the text', () => {
    const planned = plan([{ podSelector, actions: [command, hold, { ...command, runInSinglePod: true }] }]);
    assert.equal(planned.do, 'run');
    assert.deepEqual(
      planned.run.steps.map((step) => [step.id, step.kind, step.targets.map((target) => target.pod)]),
      [
        ['0-0', 'Foreground', ['a', 'b']],
        ['0-1', 'Background', ['a', 'b']],
        ['0-2', 'Foreground', ['a']],
      ],
    );
    assert.equal(planned.run.steps[1]?.targets[0]?.key, 'op-0-1-1-db');
  });

  it('takes one pod of each namespace for runInSinglePod', () => {
    const pods = [pod('a'), pod('b'), pod('c', { namespace: 'other' })];
    const single = { ...command, runInSinglePod: true };
    const planned = plan([{ podSelector, actions: [single] }], { pods, namespaces: ['shop', 'other'] });
    const names = planned.do === 'run' && planned.run.steps[0]?.targets.map((target) => target.pod);
    assert.deepEqual(names, ['c', 'a']);
  });

  it('takes the named container, else the first', () => {
    const planned = plan([{ podSelector, container: 'sidecar', actions: [command] }]);
    assert.equal(planned.do === 'run' && planned.run.steps[0]?.targets[0]?.container, 'sidecar');
  });

  it('gives a retry names of its own', () => {
    const planned = plan([{ podSelector, actions: [hold] }], { attempt: 2 });
    assert.equal(planned.do === 'run' && planned.run.steps[0]?.targets[0]?.key, 'op-0-0-2-db');
  });

  it('names a pod only once in a target list although namespaces hold pods of the same name', () => {
    const pods = [pod('a'), pod('a', { namespace: 'other', uid: 'uid-2' })];
    const planned = plan([{ podSelector, actions: [command] }], { pods, namespaces: ['shop', 'other'] });
    assert.deepEqual(planned.do === 'run' && planned.run.steps[0]?.targets.map((target) => target.podUid), [
      'uid-2',
      'uid-a',
    ]);
  });

  const refusals: readonly (readonly [string, string, ReturnType<typeof plan>])[] = [
    ['a selector that matches nothing', 'NoPodMatchesRule', plan([{ podSelector: { app: 'x' }, actions: [command] }])],
    [
      'pods that do not run',
      'NoPodMatchesRule',
      plan([{ podSelector, actions: [command] }], { pods: [pod('a', { state: 'NotRunning' })] }),
    ],
    ['a missing container', 'ContainerNotFound', plan([{ podSelector, container: 'x', actions: [command] }])],
    [
      'a background command in a post rule',
      'BackgroundInPostRule',
      plan([{ podSelector, actions: [hold] }], { position: 'Post' }),
    ],
    [
      'a background command that never waits',
      'WaitCommandMissing',
      plan([{ podSelector, actions: [{ ...hold, value: 'lock' }] }]),
    ],
    ['another type', 'RuleInvalid', plan([{ podSelector, actions: [{ ...command, type: 'http' }] }])],
    [
      'more commands than the limit',
      'RuleTooLarge',
      plan([{ podSelector, actions: [command] }], { limits: { ...ruleLimits, maxTargets: 1 } }),
    ],
  ];
  for (const [name, code, planned] of refusals) {
    it(`refuses ${name}, naming it`, () => {
      assert.equal(planned.do, 'refuse');
      assert.equal(planned.code, code);
      assert.match(planned.message, /shop\/hold/);
    });
  }

  it('notices an edited rule by its digest', () => {
    const rule: RuleSource = { metadata: { name: 'r' }, rules: [{ actions: [command] }] };
    assert.notEqual(digestRule(rule), digestRule({ ...rule, rules: [{ actions: [{ ...command, value: 'false' }] }] }));
  });
});
