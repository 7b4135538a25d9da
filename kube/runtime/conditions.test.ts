import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Condition, findCondition, isConditionTrue, removeCondition, setCondition } from './conditions.ts';

const early = { now: new Date('2026-01-01T00:00:00.500Z'), generation: 1 };
const late = { now: new Date('2026-01-01T01:00:00Z'), generation: 2 };
const ready: Condition = {
  type: 'Ready',
  status: 'True',
  reason: 'AllGood',
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
  observedGeneration: 1,
};

describe('conditions', () => {
  it('adds a condition with whole seconds and the generation it judged', () => {
    assert.deepEqual(setCondition([], { type: 'Ready', status: 'True', reason: 'AllGood' }, early), [ready]);
  });

  it('keeps lastTransitionTime while only reason, message or generation change', () => {
    const [changed] = setCondition([ready], { type: 'Ready', status: 'True', reason: 'Better', message: 'm' }, late);
    assert.deepEqual(changed, { ...ready, reason: 'Better', message: 'm', observedGeneration: 2 });
  });

  it('moves lastTransitionTime when status changes', () => {
    const [changed] = setCondition([ready], { type: 'Ready', status: 'False', reason: 'Broken' }, late);
    assert.equal(changed?.lastTransitionTime, '2026-01-01T01:00:00Z');
  });

  it('returns the same list when nothing changed', () => {
    const list = [ready];
    const facts = { type: 'Ready', status: 'True', reason: 'AllGood' } as const;
    assert.equal(setCondition(list, facts, { ...late, generation: 1 }), list);
    assert.equal(removeCondition(list, 'Other'), list);
  });

  it('leaves other conditions alone and finds them', () => {
    const list = setCondition([ready], { type: 'Stalled', status: 'False', reason: 'Fine' }, late);
    assert.equal(list[0], ready);
    assert.equal(isConditionTrue(list, 'Ready'), true);
    assert.equal(isConditionTrue(list, 'Stalled'), false);
    assert.equal(findCondition(undefined, 'Ready'), undefined);
    assert.deepEqual(removeCondition(list, 'Stalled'), [ready]);
  });

  it('cuts a message that nobody would read', () => {
    const facts = { type: 'Ready', status: 'False', reason: 'Broken', message: 'x'.repeat(9999) } as const;
    assert.equal(setCondition([], facts, early)[0]?.message.length, 2048);
  });
});
