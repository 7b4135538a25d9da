import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unpackObjects } from '../../../../crds/packed-plan.ts';
import { type PlanAction, type PlannedObject, planLimits } from '../../../../crds/v1alpha1/index.ts';
import { composePlan, type PlanFacts } from './compose-plan.ts';
import { noSurroundings } from './plan-surroundings.ts';

const facts = (more: Partial<PlanFacts> = {}): PlanFacts => ({
  refusals: [],
  objects: [],
  volumes: [],
  rules: [],
  stops: [],
  surroundings: noSurroundings,
  estimate: { how: 'unknown' },
  ending: { status: 'Successful', reason: '' },
  activeSideAfter: 'a is active',
  ...more,
});
const object = (name: string, action: PlanAction, more: Partial<PlannedObject> = {}): PlannedObject => ({
  ...{ group: '', version: 'v1', kind: 'ConfigMap', namespace: 'shop', name, action },
  ...more,
});

describe('a plan in status', () => {
  it('lists what needs a look first, and counts all', () => {
    const objects = [object('a', 'Unchanged'), object('b', 'Create'), object('c', 'Fail'), object('d', 'Conflict')];
    const plan = composePlan(facts({ objects }));
    assert.deepEqual(
      plan.objects?.map(({ name }) => name),
      ['d', 'c', 'b', 'a'],
    );
    assert.deepEqual(plan.kinds, [{ group: '', kind: 'ConfigMap', create: 1, update: 0, unchanged: 1, other: 2 }]);
  });

  for (const [verdict, more] of [
    ['Ready', {}],
    ['Partial', { ending: { status: 'PartialSuccess' as const } }],
    ['Partial', { surroundings: { ...noSurroundings, crowded: ['a quota'] } }],
    ['Refused', { refusals: [{ code: 'X', message: 'no' }] }],
  ] as const)
    it(`is ${verdict} by ${Object.keys(more)[0] ?? 'default'}`, () =>
      assert.equal(composePlan(facts(more)).verdict, verdict));

  it('fits etcd with ten thousand objects that all change', () => {
    const objects = Array.from({ length: 10_000 }, (_, index) => {
      const value = (salt: number) =>
        `"${Buffer.from(`${index * 7919 + salt}`.repeat(12))
          .toString('base64')
          .slice(0, 90)}"`;
      const changes = Array.from({ length: 10 }, (_each, at) => ({
        path: `data.key-${at}-${index}`,
        before: value(at),
        after: value(at + 1),
      }));
      return object(`settings-${index}-${'x'.repeat(100)}`, 'Update', { changes });
    });
    const plan = composePlan(facts({ objects }));
    assert.ok(JSON.stringify(plan).length < 1_000_000, String(JSON.stringify(plan).length));
    assert.equal(plan.objects?.length, planLimits.objects);
    assert.equal(unpackObjects(plan.packedObjects ?? '').length, 10_000);
    assert.equal(plan.truncated, false);
  });

  it('says when not all of them fit', () => {
    const random = (index: number) => `${index}-${crypto.randomUUID()}-${crypto.randomUUID()}`;
    const objects = Array.from({ length: 20_000 }, (_, index) => object(random(index), 'Create'));
    const plan = composePlan(facts({ objects }));
    const kept = unpackObjects(plan.packedObjects ?? '');
    assert.ok((plan.packedObjects ?? '').length <= planLimits.packed);
    assert.ok(kept.length > 5000 && kept.length < 20_000, String(kept.length));
    assert.equal(plan.truncated, true);
  });
});
