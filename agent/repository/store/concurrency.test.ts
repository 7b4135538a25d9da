import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Concurrency, decideConcurrency, fullConcurrency } from './concurrency.ts';

const after = (from: Concurrency, ended: readonly ('Answered' | 'Overloaded')[]): Concurrency =>
  ended.reduce((now, one) => decideConcurrency(now, one, 16), from);
const times = (count: number, ended: 'Answered' | 'Overloaded') => Array.from({ length: count }, () => ended);

describe('requests at once', () => {
  it('are a quarter fewer when the store is overloaded', () =>
    assert.equal(Math.floor(after(fullConcurrency(16), ['Overloaded']).limit), 12));

  it('are cut once for all that ran before the cut', () =>
    assert.equal(after(fullConcurrency(16), times(12, 'Overloaded')).limit, 12));

  it('are cut again when the store is still overloaded after that', () =>
    assert.equal(after(fullConcurrency(16), times(14, 'Overloaded')).limit, 9));

  it('come back one for each round of answers, and no further than allowed', () => {
    const cut = after(fullConcurrency(16), ['Overloaded']);
    assert.equal(Math.floor(after(cut, times(13, 'Answered')).limit), 13);
    assert.equal(after(cut, times(1000, 'Answered')).limit, 16);
  });

  it('never fall below one', () => assert.equal(after(fullConcurrency(16), times(500, 'Overloaded')).limit, 1));

  it('an unlimited store stays so until it is overloaded for good', () =>
    assert.equal(
      decideConcurrency(fullConcurrency(Number.POSITIVE_INFINITY), 'Answered', Number.POSITIVE_INFINITY).limit,
      Number.POSITIVE_INFINITY,
    ));
});
