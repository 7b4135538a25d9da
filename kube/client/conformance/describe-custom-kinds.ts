/** Kinds defined by a CRD: served when it is made, defaulted and validated by its schema, strict about unknown fields. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { KubeObject, Resource } from '../client.ts';
import { type CustomResourceDefinition, core } from '../core.ts';
import { eventually, type MakeWorld, refusalOf, setStage } from './conformance-world.ts';

interface Widget extends KubeObject {
  readonly spec?: {
    readonly size?: number;
    readonly color?: string;
    readonly parts?: readonly { readonly name: string; readonly count?: number }[];
    readonly tags?: readonly string[];
    readonly free?: Readonly<Record<string, unknown>>;
    readonly labels?: Readonly<Record<string, string>>;
    readonly typo?: string;
  };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

const widgets: Resource<Widget> = {
  ...{ group: 'conformance.stork.test', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true },
};

const spec = {
  type: 'object',
  required: ['size'],
  properties: {
    size: { type: 'integer', minimum: 1, maximum: 10 },
    color: { type: 'string', enum: ['red', 'blue'], default: 'red' },
    parts: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string', maxLength: 20 }, count: { type: 'integer', default: 1 } },
      },
    },
    tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string', pattern: '^[a-z]+$' } },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
  },
};

const conditions = {
  type: 'array',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
  items: { type: 'object', required: ['type'], properties: { type: { type: 'string' }, status: { type: 'string' } } },
};

const definition: CustomResourceDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.conformance.stork.test' },
  spec: {
    group: widgets.group,
    scope: 'Namespaced',
    names: {
      kind: 'Widget',
      plural: 'widgets',
      singular: 'widget',
      listKind: 'WidgetList',
      categories: ['stork-test'],
    },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec, status: { type: 'object', properties: { phase: { type: 'string' }, conditions } } },
          },
        },
      },
    ],
  },
};

export function describeCustomKinds(makeWorld: MakeWorld): void {
  describe('custom kinds', () => {
    const stage = setStage(makeWorld);
    const widget = (name: string, given: Widget['spec']): Widget => ({
      ...{ apiVersion: 'conformance.stork.test/v1', kind: 'Widget', metadata: { name, namespace: stage().namespace } },
      ...(given === undefined ? {} : { spec: given }),
    });
    const one = { fieldManager: 'one' } as const;

    before(async () => {
      const { client, namespace } = stage();
      await client.create(core.customResourceDefinitions, definition);
      await eventually(async () => {
        try {
          return await client.listPage(widgets, { namespace });
        } catch {
          return undefined;
        }
      });
    });

    it('fills in defaults, also inside lists', async () => {
      const made = await stage().client.create(widgets, widget('defaults', { size: 1, parts: [{ name: 'a' }] }));
      assert.deepEqual(made.spec, { size: 1, color: 'red', parts: [{ name: 'a', count: 1 }] });
      assert.equal(made.metadata.generation, 1);
    });

    it('refuses unknown fields by name, whatever the verb', async () => {
      const { client } = stage();
      const refusal = await refusalOf(client.create(widgets, widget('typo', { size: 1, typo: 'x' })));
      assert.deepEqual([refusal.code, refusal.status.code], ['BadRequest', 400]);
      assert.match(refusal.message, /strict decoding error: unknown field "spec\.typo"/);
      const made = await client.create(widgets, widget('strict', { size: 1 }));
      const replaced = client.replace(widgets, { ...made, spec: { size: 1, typo: 'x' } });
      assert.equal((await refusalOf(replaced)).code, 'BadRequest');
      const patched = client.patch(widgets, made.metadata, { type: 'merge', body: { spec: { typo: 'x' } } });
      assert.match((await refusalOf(patched)).message, /unknown field "spec\.typo"/);
      const applied = await refusalOf(client.apply(widgets, widget('strict', { size: 1, typo: 'x' }), one));
      assert.match(applied.message, /\.spec\.typo: field not declared in schema/);
      assert.equal(applied.status.code, 500);
    });

    it('keeps unknown fields where the schema says so', async () => {
      const free = { any: { thing: [1, 'two'] } };
      const made = await stage().client.create(widgets, widget('free', { size: 1, free, labels: { a: 'b' } }));
      assert.deepEqual([made.spec?.free, made.spec?.labels], [free, { a: 'b' }]);
    });

    const refused: readonly (readonly [string, object, string])[] = [
      ['a missing field', {}, 'spec.size'],
      ['a number out of range', { size: 11 }, 'spec.size'],
      ['a wrong type', { size: 'big' }, 'spec.size'],
      ['a value that is not listed', { size: 1, color: 'green' }, 'spec.color'],
      ['a long string in a list', { size: 1, parts: [{ name: 'a'.repeat(21) }] }, 'spec.parts[0].name'],
      ['a repeated key', { size: 1, parts: [{ name: 'a' }, { name: 'a' }] }, 'spec.parts[1]'],
      ['a repeated set item', { size: 1, tags: ['a', 'a'] }, 'spec.tags[1]'],
      ['a string that does not match', { size: 1, tags: ['A'] }, 'spec.tags[0]'],
    ];
    for (const [name, given, field] of refused) {
      it(`refuses ${name} as Invalid, naming the field`, async () => {
        const refusal = await refusalOf(stage().client.create(widgets, widget('refused', given as Widget['spec'])));
        assert.deepEqual([refusal.code, refusal.status.code], ['Invalid', 422]);
        assert.equal(refusal.status.details?.causes?.[0]?.field, field);
        assert.ok(refusal.message.startsWith('Widget.conformance.stork.test "refused" is invalid: '), refusal.message);
      });
    }

    it('counts spec changes in generation; status has its own endpoint', async () => {
      const { client } = stage();
      const made = await client.create(widgets, { ...widget('status', { size: 1 }), status: { phase: 'Given' } });
      assert.equal(made.status, undefined);
      const changed = await client.replace(widgets, {
        ...made,
        spec: { ...made.spec, size: 2 },
        status: { phase: 'No' },
      });
      assert.deepEqual([changed.metadata.generation, changed.status], [2, undefined]);
      const status = { ...changed, spec: { size: 9 }, status: { phase: 'Ready' } };
      const reported = await client.replace(widgets, status, { subresource: 'status' });
      assert.deepEqual([reported.metadata.generation, reported.spec?.size, reported.status?.phase], [2, 2, 'Ready']);
    });

    it('applies lists with keys item by item', async () => {
      const { client } = stage();
      await client.apply(widgets, widget('apply', { size: 1, parts: [{ name: 'a', count: 2 }], tags: ['x'] }), one);
      const two = { fieldManager: 'two' };
      const both = await client.apply(widgets, widget('apply', { parts: [{ name: 'b', count: 3 }], tags: ['y'] }), two);
      assert.deepEqual(both.spec?.parts, [
        { name: 'a', count: 2 },
        { name: 'b', count: 3 },
      ]);
      assert.deepEqual(both.spec?.tags, ['x', 'y']);
      const refusal = await refusalOf(
        client.apply(widgets, widget('apply', { parts: [{ name: 'a', count: 5 }] }), two),
      );
      assert.match(refusal.message, /conflict with "one": \.spec\.parts\[name="a"\]\.count/);
      const left = await client.apply(widgets, widget('apply', { size: 1, parts: [] }), one);
      assert.deepEqual([left.spec?.parts, left.spec?.tags], [[{ name: 'b', count: 3 }], ['y']]);
    });

    it('applies status with a pinned resourceVersion, so that a lost race is a Conflict', async () => {
      const { client } = stage();
      const made = await client.create(widgets, widget('pinned', { size: 1 }));
      const { name, namespace, resourceVersion } = made.metadata;
      const report = (phase: string) => ({
        ...{ apiVersion: made.apiVersion, kind: made.kind, metadata: { name, namespace, resourceVersion } },
        status: { phase, conditions: [{ type: 'Ready', status: 'False' }] },
      });
      const status = { fieldManager: 'stork-status', subresource: 'status', conflicts: 'Force' } as const;
      const reported = await client.apply(widgets, report('Working') as Widget, status);
      assert.equal(reported.status?.phase, 'Working');
      assert.equal((await refusalOf(client.apply(widgets, report('Late') as Widget, status))).code, 'Conflict');
    });

    it('removes an emptied map as the server does', async () => {
      const { client } = stage();
      await client.apply(widgets, widget('empty', { size: 1, labels: { a: '1' } }), one);
      const left = await client.apply(widgets, widget('empty', { size: 1 }), one);
      assert.deepEqual(left.spec, { size: 1, color: 'red' });
    });

    it('refuses to watch from a resourceVersion that is too old, with 410', async () => {
      const { client, namespace, expireHistory } = stage();
      expireHistory();
      const events = client.watch(widgets, { namespace, resourceVersion: '1' })[Symbol.asyncIterator]();
      const refusal = await refusalOf(events.next());
      assert.deepEqual([refusal.status.code, refusal.code], [410, 'Expired']);
    });

    it('takes no strategic merge patch', async () => {
      const { client } = stage();
      const { metadata } = await client.create(widgets, widget('strategic', { size: 1 }));
      const refusal = await refusalOf(
        client.patch(widgets, metadata, { type: 'strategic', body: { spec: { size: 2 } } }),
      );
      assert.equal(refusal.status.code, 415);
    });

    it('is found by discovery with its categories', async () => {
      const { client } = stage();
      const served = (await client.discover()).find((one) => one.plural === 'widgets');
      assert.deepEqual([served?.kind, served?.categories], ['Widget', ['stork-test']]);
    });
  });
}
