import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manualClock } from '../../kube/clock.ts';
import type { Access as Asked } from '../../kube/fake/fake-api-server.ts';
import { createAccess } from './access.ts';
import type { AccessQuestion } from './access-question.ts';
import { guardedServer } from './testing/guarded-server.ts';

const ann = { username: 'ann', groups: ['shop-owners'] };
const read = (namespace: string, resource: string): AccessQuestion => ({ verb: 'get', group: '', resource, namespace });
const many = Array.from({ length: 50 }, (_, at) => read(`n${at % 5}`, `kind${at}`));

/** Reviews of ann's rights, as they were asked; the agent itself may do everything. */
function aCluster(may: (asked: Asked) => boolean) {
  const asked: string[] = [];
  const authorize = (question: Asked): 'Allow' | 'Deny' => {
    if (question.identity.user !== 'ann') return 'Allow';
    asked.push(`${question.verb} ${question.resource} ${question.namespace ?? ''}`.trim());
    return may(question) ? 'Allow' : 'Deny';
  };
  return { asked, access: createAccess(guardedServer({ clock: manualClock(), authorize }).client()) };
}

describe('reviews of access', () => {
  it('are one for who may do everything', async () => {
    const { asked, access } = aCluster(() => true);
    await access.require(ann, many);
    assert.deepEqual(asked, ['* *']);
  });

  it('are one for each namespace that the requester owns', async () => {
    const { asked, access } = aCluster(({ verb, namespace }) => verb === '*' && namespace !== undefined);
    await access.require(ann, many);
    assert.deepEqual(asked.toSorted(), ['* *', '* * n0', '* * n1', '* * n2', '* * n3', '* * n4']);
  });

  it('ask the same only once', async () => {
    const { asked, access } = aCluster(({ verb }) => verb !== '*');
    await access.require(ann, [read('shop', 'secrets'), read('shop', 'secrets')]);
    assert.deepEqual(asked, ['* *', '* * shop', 'get secrets shop']);
  });

  it('end when enough is refused, and name it', async () => {
    const { asked, access } = aCluster(() => false);
    await assert.rejects(access.require(ann, many), (error: Error & { readonly code?: string }) => {
      assert.equal(error.code, 'RequesterMayNot');
      assert.match(error.message, /^User ann, who asked for this, may not get kind\d+ in namespace n\d, nor get/);
      assert.ok(error.message.split(', nor ').length < 20);
      return true;
    });
    assert.ok(asked.length < 30, `${asked.length} questions`);
  });

  it('ask nothing when there is nothing to ask', async () => {
    const { asked, access } = aCluster(() => false);
    await access.require(ann, []);
    assert.deepEqual(asked, []);
  });

  it('know the user, its groups and where it asks', async () => {
    const seen: Asked[] = [];
    const { access } = aCluster((question) => seen.push(question) > 0);
    await access.require(ann, [read('shop', 'secrets')]);
    assert.deepEqual(seen[0]?.identity, { user: 'ann', groups: ['shop-owners'] });
  });
});
