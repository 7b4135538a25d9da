/** Server-side apply: who owns a field, who may change it, and what goes when nobody wants it any more. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ConfigMap, core, type Deployment } from '../core.ts';
import { type MakeWorld, refusalOf, setStage } from './conformance-world.ts';

const one = { fieldManager: 'one' } as const;
const two = { fieldManager: 'two' } as const;

export function describeApply(makeWorld: MakeWorld): void {
  describe('server-side apply', () => {
    const stage = setStage(makeWorld);

    it('creates what is absent, changes what it owns, and removes what it stops to want', async () => {
      const { client, configMap } = stage();
      const first = await client.apply(core.configMaps, configMap('life', { data: { a: '1', b: '1' } }), one);
      assert.deepEqual(first.data, { a: '1', b: '1' });
      const second = await client.apply(core.configMaps, configMap('life', { data: { a: '2' } }), one);
      assert.deepEqual(second.data, { a: '2' });
      const third = await client.apply(core.configMaps, configMap('life'), one);
      assert.equal(third.data, undefined);
    });

    it('changes nothing when it says the same again', async () => {
      const { client, configMap } = stage();
      const first = await client.apply(core.configMaps, configMap('again', { data: { a: '1' } }), one);
      const second = await client.apply(core.configMaps, configMap('again', { data: { a: '1' } }), one);
      assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
    });

    it('refuses to change what another manager owns, naming it', async () => {
      const { client, configMap } = stage();
      await client.apply(core.configMaps, configMap('mine', { data: { a: '1', b: '1' } }), one);
      const refusal = await refusalOf(client.apply(core.configMaps, configMap('mine', { data: { a: '2' } }), two));
      assert.deepEqual([refusal.code, refusal.status.code], ['Conflict', 409]);
      assert.equal(refusal.message, 'Apply failed with 1 conflict: conflict with "one": .data.a');
      assert.deepEqual(refusal.status.details, {
        causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.a' }],
      });
      const kept = await client.get(core.configMaps, configMap('mine').metadata);
      assert.deepEqual(kept.data, { a: '1', b: '1' });
    });

    it('takes over by force, and the former owner loses the field', async () => {
      const { client, configMap } = stage();
      await client.apply(core.configMaps, configMap('force', { data: { a: '1', b: '1' } }), one);
      const taken = await client.apply(core.configMaps, configMap('force', { data: { a: '2' } }), {
        ...two,
        conflicts: 'Force',
      });
      assert.deepEqual(taken.data, { a: '2', b: '1' });
      const refusal = await refusalOf(
        client.apply(core.configMaps, configMap('force', { data: { a: '3', b: '1' } }), one),
      );
      assert.equal(refusal.status.details?.causes?.[0]?.message, 'conflict with "two"');
      const dropped = await client.apply(core.configMaps, configMap('force', { data: { b: '1' } }), one);
      assert.deepEqual(dropped.data, { a: '2', b: '1' });
    });

    it('shares a field that both say the same of, until the last lets go', async () => {
      const { client, configMap } = stage();
      await client.apply(core.configMaps, configMap('shared', { data: { a: '1' } }), one);
      await client.apply(core.configMaps, configMap('shared', { data: { a: '1', b: '2' } }), two);
      const left = await client.apply(core.configMaps, configMap('shared', { data: {} }), one);
      assert.deepEqual(left.data, { a: '1', b: '2' });
      const empty = await client.apply(core.configMaps, configMap('shared', { data: { b: '2' } }), two);
      assert.deepEqual(empty.data, { b: '2' });
    });

    it('loses what an update changes, and meets the updater as a manager', async () => {
      const { client, configMap } = stage();
      const applied = await client.apply(core.configMaps, configMap('updated', { data: { a: '1' } }), one);
      const updated = { ...applied, data: { a: '2' } };
      await client.replace(core.configMaps, updated, { fieldManager: 'editor' });
      const refusal = await refusalOf(client.apply(core.configMaps, configMap('updated', { data: { a: '3' } }), one));
      assert.equal(refusal.message, 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.a');
    });

    it('does not own what an object was created with by another manager', async () => {
      const { client, configMap } = stage();
      await client.create(core.configMaps, configMap('created', { data: { a: '1', b: '2' } }), {
        fieldManager: 'maker',
      });
      const applied = await client.apply(core.configMaps, configMap('created', { data: { c: '3' } }), one);
      assert.deepEqual(applied.data, { a: '1', b: '2', c: '3' });
    });

    it('owns labels, annotations and finalizers one by one', async () => {
      const { client, configMap, namespace } = stage();
      const labelled = (labels: Record<string, string>, finalizers: readonly string[]): ConfigMap =>
        configMap('meta', { metadata: { name: 'meta', labels, finalizers } });
      await client.apply(core.configMaps, labelled({ a: '1' }, ['stork.test/one']), one);
      await client.apply(core.configMaps, labelled({ b: '2' }, ['stork.test/two']), two);
      const both = await client.get(core.configMaps, { namespace, name: 'meta' });
      assert.deepEqual(both.metadata.labels, { a: '1', b: '2' });
      assert.deepEqual(both.metadata.finalizers, ['stork.test/one', 'stork.test/two']);
      const left = await client.apply(core.configMaps, configMap('meta'), one);
      assert.deepEqual([left.metadata.labels, left.metadata.finalizers], [{ b: '2' }, ['stork.test/two']]);
      const none = await client.apply(core.configMaps, configMap('meta'), two);
      assert.deepEqual([none.metadata.labels, none.metadata.finalizers], [undefined, undefined]);
    });

    it('pins a resourceVersion and a uid when they are given', async () => {
      const { client, configMap } = stage();
      const made = await client.create(core.configMaps, configMap('pinned'));
      const { resourceVersion, uid } = made.metadata;
      const pinned = configMap('pinned', {
        metadata: { name: '', resourceVersion, uid },
        data: { a: '1' },
      } as Partial<ConfigMap>);
      const applied = await client.apply(core.configMaps, pinned, one);
      assert.deepEqual(applied.data, { a: '1' });
      const refusal = await refusalOf(client.apply(core.configMaps, { ...pinned, data: { a: '2' } }, one));
      assert.deepEqual([refusal.code, refusal.status.code], ['Conflict', 409]);
    });

    it('ignores the resourceVersion of what is absent, and refuses its uid', async () => {
      const { client, configMap } = stage();
      const pinned = (name: string, metadata: object) => configMap(name, { metadata: { name, ...metadata } });
      const created = await client.apply(core.configMaps, pinned('absent-version', { resourceVersion: '5' }), one);
      assert.notEqual(created.metadata.resourceVersion, '5');
      const refusal = await refusalOf(client.apply(core.configMaps, pinned('absent-uid', { uid: 'x' }), one));
      assert.equal(refusal.code, 'Conflict');
      const other = await refusalOf(client.apply(core.configMaps, pinned('absent-version', { uid: 'x' }), one));
      assert.deepEqual([other.code, other.status.details?.causes?.[0]?.field], ['Invalid', 'metadata.uid']);
    });

    it('can’t express a list with the same key twice, which create accepts', async () => {
      const { client, deployment } = stage();
      const env = [
        { name: 'A', value: '1' },
        { name: 'A', value: '2' },
      ];
      const twice = deployment('twice', [{ name: 'main', image: 'main:1', env }]);
      const refusal = await refusalOf(client.apply(core.deployments, twice, one));
      assert.deepEqual([refusal.code, refusal.status.code], ['InternalError', 500]);
      assert.match(refusal.message, /\.env: duplicate entries for key \[name="A"\]/);
      const made = await client.create(core.deployments, twice);
      assert.equal(made.spec?.template.spec?.containers[0]?.env?.length, 2);
    });

    it('merges containers, their ports and their environment by key', async () => {
      const { client, deployment, namespace } = stage();
      const name = 'keyed';
      const containers = [
        { name: 'main', image: 'main:1', ports: [{ containerPort: 80 }], env: [{ name: 'A', value: '1' }] },
      ];
      await client.apply(core.deployments, deployment(name, containers), one);
      const sidecar = [
        { name: 'main', image: 'main:1', env: [{ name: 'B', value: '2' }] },
        { name: 'side', image: 'side:1' },
      ];
      const both = await client.apply(core.deployments, deployment(name, sidecar), two);
      const of = (object: Deployment) =>
        object.spec?.template.spec?.containers.map((one) => [
          one.name,
          one.ports?.length,
          one.env?.map((env) => env.name),
        ]);
      assert.deepEqual(of(both), [
        ['main', 1, ['A', 'B']],
        ['side', undefined, undefined],
      ]);
      const image = [{ name: 'main', image: 'main:2' }];
      const refusal = await refusalOf(client.apply(core.deployments, deployment(name, image), two));
      assert.match(refusal.message, /conflict with "one": \.spec\.template\.spec\.containers\[name="main"\]\.image/);
      const left = await client.apply(core.deployments, deployment(name, [{ name: 'main', image: 'main:1' }]), two);
      assert.deepEqual(of(left), [['main', 1, ['A']]]);
      assert.equal(
        (await client.get(core.deployments, { namespace, name })).metadata.generation,
        left.metadata.generation,
      );
    });

    it('owns status by its subresource, conditions by type', async () => {
      const { client, deployment, namespace } = stage();
      const name = 'conditions';
      await client.create(core.deployments, deployment(name));
      const reporting = (type: string) => ({
        ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace } },
        status: { conditions: [{ type, status: 'True' }] },
      });
      await client.apply(core.deployments, reporting('Available'), { ...one, subresource: 'status' });
      const both = await client.apply(core.deployments, reporting('Progressing'), { ...two, subresource: 'status' });
      assert.deepEqual(
        both.status?.conditions?.map((condition) => condition.type),
        ['Available', 'Progressing'],
      );
      const spec = await client.apply(core.deployments, { ...deployment(name), ...reporting('Ignored') }, two);
      assert.equal(spec.status?.conditions?.length, 2);
    });

    it('can’t apply the status of what is absent', async () => {
      const { client, deployment } = stage();
      const call = client.apply(core.deployments, deployment('absent'), { ...one, subresource: 'status' });
      assert.equal((await refusalOf(call)).code, 'NotFound');
    });

    it('leaves an object without its owner’s fields to another manager', async () => {
      const { client, deployment } = stage();
      const name = 'replicas';
      const { replicas: _, ...spec } = deployment(name).spec ?? { selector: {}, template: {} };
      await client.apply(core.deployments, { ...deployment(name), spec }, one);
      await client.apply(core.deployments, { ...deployment(name), spec: { replicas: 3 } } as Deployment, two);
      const again = await client.apply(core.deployments, { ...deployment(name), spec }, one);
      assert.equal(again.spec?.replicas, 3);
    });
  });
}
