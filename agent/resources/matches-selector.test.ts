import assert from 'node:assert/strict';
import { it } from 'node:test';
import { matchesSelector } from './matches-selector.ts';

const expression = (operator: string, values: readonly string[] = []) => ({
  matchExpressions: [{ key: 'tier', operator, values }],
});

for (const [what, labels, selector, fits] of [
  ['no selector', {}, undefined, true],
  ['an empty one', { a: 'b' }, {}, true],
  ['equal labels', { a: 'b', c: 'd' }, { matchLabels: { a: 'b' } }, true],
  ['another value', { a: 'x' }, { matchLabels: { a: 'b' } }, false],
  ['In', { tier: 'db' }, expression('In', ['db', 'web']), true],
  ['In without the label', {}, expression('In', ['db']), false],
  ['NotIn without the label', {}, expression('NotIn', ['db']), true],
  ['NotIn', { tier: 'db' }, expression('NotIn', ['db']), false],
  ['Exists', { tier: '' }, expression('Exists'), true],
  ['DoesNotExist', { tier: '' }, expression('DoesNotExist'), false],
  ['an unknown operator', { tier: 'db' }, expression('Gt', ['1']), false],
] as const)
  it(`${fits ? 'fits' : 'does not fit'} ${what}`, () => assert.equal(matchesSelector(labels, selector), fits));
