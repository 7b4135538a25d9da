import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isMissing } from '../../resources/purge/decide-purge.ts';
import { maxPurgeNames, maxPurgeScopes } from '../messages.ts';
import { decidePurge } from './plan-purge.ts';

const present = (names: readonly string[], kind = 'ConfigMap') => ({
  ...{ group: '', version: 'v1', kind, namespace: 'db' },
  names,
});
const moved = { kind: 'ConfigMap', name: 'a', status: 'Successful' } as const;

describe('what a destination is told before it purges', () => {
  it('is nothing when the source could not read a kind, or something did not arrive', () => {
    const unreadable = [{ group: '', version: 'v1', kind: 'Secret', resource: 'secrets', reason: 'Forbidden' }];
    const blind = decidePurge({ present: [present([])], unreadable }, [moved]);
    assert.match(blind.do === 'refuse' ? blind.reason : '', /Secret could not be read/);
    const failed = decidePurge({ present: [present([])], unreadable: [] }, [moved, { ...moved, status: 'Failed' }]);
    assert.match(failed.do === 'refuse' ? failed.reason : '', /not everything migrated/);
  });

  it('covers each name there can be exactly once, in messages of a bounded size', () => {
    const names = Array.from({ length: maxPurgeNames * 2 + 5 }, (_, index) => `n-${String(index).padStart(6, '0')}`);
    const kinds = Array.from({ length: maxPurgeScopes + 1 }, (_, index) => present([], `Kind${index}`));
    const decision = decidePurge({ present: [present(names.toReversed()), ...kinds], unreadable: [] }, [moved]);
    assert.ok(decision.do === 'purge');
    for (const scopes of decision.messages) {
      assert.ok(scopes.length <= maxPurgeScopes);
      assert.ok(scopes.reduce((sum, scope) => sum + scope.names.length, 0) <= maxPurgeNames);
    }
    const scopes = decision.messages.flat().filter(({ kind }) => kind === 'ConfigMap');
    assert.deepEqual(
      scopes.flatMap((scope) => scope.names),
      names,
    );
    const missingIn = (name: string) => scopes.filter((scope) => isMissing(name, scope, new Set(scope.names))).length;
    for (const name of ['a', 'n-000000x', 'n-009999x', 'n-010000x', 'z']) assert.equal(missingIn(name), 1, name);
    for (const name of ['n-000000', 'n-009999', 'n-010000', 'n-020004']) assert.equal(missingIn(name), 0, name);
    assert.equal(decision.messages.flat().length, kinds.length + 3);
  });
});
