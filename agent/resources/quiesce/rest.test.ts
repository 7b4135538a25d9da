import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyObject } from '../../../kube/client/client.ts';
import { annotate, setField } from '../fields.ts';
import { storkNames } from '../names.ts';
import type { SwitchChange } from '../switches.ts';
import { planRest, planResume, readRest, withoutRest } from './rest.ts';

const replicas = { path: ['spec', 'replicas'], stopping: 0 } as const;
const suspend = { path: ['spec', 'suspend'], stopping: true } as const;
const object = (kind: string, spec: object): AnyObject => ({
  ...{ apiVersion: 'v1', kind, metadata: { name: 'web', namespace: 'db', annotations: { own: 'kept' } } },
  spec,
});
const order = (operation: string, fields: Parameters<typeof planRest>[1]['fields'] = [replicas]) => ({
  ...{ operation, migration: `db/${operation}`, fields },
});

/** As an API server merges; null removes. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const all = new Map(Object.entries(typeof target === 'object' && target !== null ? target : {}));
  for (const [name, value] of Object.entries(patch))
    if (value === null) all.delete(name);
    else all.set(name, merged(all.get(name), value));
  return Object.fromEntries(all);
}
const apply = (to: AnyObject, change: SwitchChange | undefined): AnyObject =>
  change === undefined ? to : { ...to, ...(merged(to, change.patch) as AnyObject) };

describe('a workload at rest for a while', () => {
  for (const [name, before, field] of [
    ['replicas', object('Deployment', { replicas: 3 }), replicas],
    ['a suspend that was absent', object('CronJob', { schedule: '* * * * *' }), suspend],
    ['a suspend that was false', object('CronJob', { suspend: false }), suspend],
  ] as const)
    it(`is afterwards exactly what it was: ${name}`, () => {
      const stopped = apply(before, planRest(before, order('one', [field])));
      assert.notDeepEqual(stopped.spec, before.spec);
      assert.deepEqual(withoutRest(stopped), before);
      assert.deepEqual(apply(stopped, planResume(stopped, 'one')), before);
    });

  it('is stopped once, and brought back once', () => {
    const before = object('Deployment', { replicas: 3 });
    const stopped = apply(before, planRest(before, order('one')));
    assert.equal(planRest(stopped, order('one')), undefined);
    assert.equal(planResume(before, 'one'), undefined);
  });

  it('is not ours when it rested already', () => {
    assert.equal(planRest(object('Deployment', { replicas: 0 }), order('one')), undefined);
  });

  it('is not brought back by another operation', () => {
    const before = object('Deployment', { replicas: 3 });
    assert.equal(planResume(apply(before, planRest(before, order('one'))), 'two'), undefined);
  });

  it('stays as somebody scaled it meanwhile, without our mark', () => {
    const before = object('Deployment', { replicas: 3 });
    const scaled = setField(apply(before, planRest(before, order('one'))), replicas.path, 5);
    assert.deepEqual(apply(scaled, planResume(scaled, 'one')), object('Deployment', { replicas: 5 }));
  });

  it('left by an operation that is gone is taken over with what it was first', () => {
    const before = object('Deployment', { replicas: 3 });
    const left = apply(before, planRest(before, order('gone')));
    const taken = apply(left, planRest(left, order('next')));
    assert.equal(readRest(taken)?.operation, 'next');
    assert.deepEqual(apply(taken, planResume(taken, 'next')), before);
  });

  it('with a mark that nobody can read is nobody`s', () => {
    const marked = annotate(object('Deployment', { replicas: 0 }), { [storkNames.quiesced]: '{' });
    assert.equal(readRest(marked), undefined);
    assert.equal(planResume(marked, 'one'), undefined);
  });
});
