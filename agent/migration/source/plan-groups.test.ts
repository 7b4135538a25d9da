import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planGroups } from './plan-groups.ts';

const claim = (name: string, mode: 'fresh' | 'update' = 'fresh', namespace = 'db') => ({ namespace, name, mode });

describe('planGroups', () => {
  it('puts claims that one pod mounts into one group with that pod as consumer', () => {
    const groups = planGroups(
      [claim('wal'), claim('data'), claim('cache')],
      [{ namespace: 'db', name: 'pg-0', claims: ['data', 'wal'] }],
    );
    assert.deepEqual(groups, [
      { id: 'db/cache', mode: 'fresh', namespace: 'db', claims: ['cache'], consumer: undefined },
      { id: 'db/data+wal', mode: 'fresh', namespace: 'db', claims: ['data', 'wal'], consumer: 'pg-0' },
    ]);
  });

  it('joins claims through a chain of pods', () => {
    const [only, ...rest] = planGroups(
      [claim('a'), claim('b'), claim('c')],
      [
        { namespace: 'db', name: 'p1', claims: ['a', 'b'] },
        { namespace: 'db', name: 'p2', claims: ['b', 'c'] },
      ],
    );
    assert.deepEqual(only?.claims, ['a', 'b', 'c']);
    assert.equal(rest.length, 0);
  });

  it('separates claims that need different movers', () => {
    const groups = planGroups(
      [claim('old', 'update'), claim('new')],
      [{ namespace: 'db', name: 'p', claims: ['old', 'new'] }],
    );
    assert.deepEqual(
      groups.map((group) => [group.id, group.mode]),
      [
        ['db/new', 'fresh'],
        ['db/old', 'update'],
      ],
    );
  });

  it('keeps equal names in different namespaces apart', () => {
    const groups = planGroups([claim('data'), claim('data', 'fresh', 'web')], []);
    assert.deepEqual(
      groups.map((group) => group.id),
      ['db/data', 'web/data'],
    );
  });
});
