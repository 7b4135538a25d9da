import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { storkNames } from '../names.ts';
import { type ApplyFacts, decideApply } from './decide-apply.ts';

const incoming = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', namespace: 'shop' },
  data: { a: '1' },
};
const facts = (requester: string | undefined): ApplyFacts => ({
  pairId: 'p',
  migration: { namespace: 'shop', name: 'm', time: '2026-11-21T00:00:00Z', requester },
  grant: { namespaces: ['shop'], clusterScopedKinds: [] },
});

function requesterOn(requester: string | undefined): string | undefined {
  const decision = decideApply(incoming, undefined, facts(requester));
  assert.ok(decision.do === 'create');
  return decision.object.metadata.annotations?.[storkNames.migrationRequester];
}

describe('for audits, an object', () => {
  it('tells who asked for the migration on its source', () => assert.equal(requesterOn('ann'), 'ann'));
  it('tells nobody when an older peer told nobody', () => assert.equal(requesterOn(undefined), undefined));
});
