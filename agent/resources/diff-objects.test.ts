import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyObject } from '../../kube/client/client.ts';
import { diffObjects } from './diff-objects.ts';
import { storkNames } from './names.ts';

const configMap = (data: object, annotations: Record<string, string> = {}): AnyObject => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', data },
  metadata: { name: 'settings', annotations, resourceVersion: String(Object.keys(data).length) },
});
const deployment = (env: readonly object[] | undefined, image = 'web:1'): AnyObject => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } },
  spec: { template: { spec: { containers: [{ name: 'web', image, ...(env === undefined ? {} : { env }) }] } } },
});
const containers = 'spec.template.spec.containers[web]';

describe('what changes in an object', () => {
  it('is nothing when only the server’s fields differ', () =>
    assert.deepEqual(diffObjects(configMap({ a: '1' }), [configMap({ a: '1' })]), []));

  it('is told by field, items of lists by their name', () => {
    const before = deployment([{ name: 'SIZE', value: 'small' }]);
    const after = deployment([{ name: 'SIZE', value: 'large' }], 'web:2');
    assert.deepEqual(diffObjects(before, [after]), [
      { path: `${containers}.image`, before: '"web:1"', after: '"web:2"' },
      { path: `${containers}.env[SIZE].value`, before: '"small"', after: '"large"' },
    ]);
  });

  it('is told once, whichever write makes it', () => {
    const [one, other] = [configMap({ a: '1', b: '2' }), configMap({ a: '2', b: '2' })];
    assert.equal(diffObjects(one, [other, other]).length, 1);
  });

  it('leaves out marks that each write renews, unless there is nothing else', () => {
    const [one, other] = [
      configMap({}, { [storkNames.migrationName]: 'm1' }),
      configMap({}, { [storkNames.migrationName]: 'm2' }),
    ];
    assert.equal(diffObjects(one, [other]).length, 1);
    const changed = { ...other, data: { a: '1' } };
    assert.deepEqual(
      diffObjects(one, [changed]).map(({ path }) => path),
      ['data.a'],
    );
  });

  it('cuts long values', () => {
    const [change] = diffObjects(configMap({ a: 'x' }), [configMap({ a: 'y'.repeat(5000) })]);
    assert.equal(change?.after?.length, 100);
  });

  it('never shows what a Secret holds', () => {
    const secret = (value: string): AnyObject => ({ ...configMap({ login: value }, { copy: value }), kind: 'Secret' });
    const changes = diffObjects(secret('hunter2'), [secret('hunter3')]);
    assert.equal(changes.length, 2);
    assert.doesNotMatch(JSON.stringify(changes), /hunter/);
  });

  it('hides the seal of a stash', () => {
    const sealed = (seal: string) => configMap({}, { [storkNames.stashSeal]: seal });
    assert.doesNotMatch(JSON.stringify(diffObjects(sealed('one'), [sealed('two')])), /one|two/);
  });

  for (const [what, before, after] of [
    [
      'a variable of a telling name',
      [{ name: 'DB_PASSWORD', value: 'hunter2' }],
      [{ name: 'DB_PASSWORD', value: 'hunter3' }],
    ],
    ['one that is new', [], [{ name: 'DB_PASSWORD', value: 'hunter2' }]],
    ['a list that is new', undefined, [{ name: 'DB_PASSWORD', value: 'hunter2' }]],
    ['a list without names', undefined, [{ token: 'hunter2' }]],
    [
      'text with a credential',
      [{ name: 'ARGS', value: 'password=hunter2' }],
      [{ name: 'ARGS', value: 'password=hunter3' }],
    ],
  ] as const)
    it(`hides ${what}`, () => {
      const changes = diffObjects(deployment(before), [deployment(after)]);
      assert.ok(changes.length > 0);
      assert.doesNotMatch(JSON.stringify(changes), /hunter/);
    });
});
