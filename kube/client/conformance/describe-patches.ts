/** JSON, merge and strategic merge patches. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../core.ts';
import { type MakeWorld, refusalOf, setStage } from './conformance-world.ts';

export function describePatches(makeWorld: MakeWorld): void {
  describe('patches', () => {
    const stage = setStage(makeWorld);

    it('edits by JSON patch, all or nothing', async () => {
      const { client, configMap } = stage();
      const { metadata } = await client.create(core.configMaps, configMap('json', { data: { a: '1', b: '2' } }));
      const patched = await client.patch(core.configMaps, metadata, {
        type: 'json',
        body: [
          { op: 'test', path: '/data/a', value: '1' },
          { op: 'replace', path: '/data/a', value: '3' },
          { op: 'remove', path: '/data/b' },
          { op: 'add', path: '/metadata/labels', value: {} },
          { op: 'add', path: '/metadata/labels/stork.test~1x', value: 'y' },
        ],
      });
      assert.deepEqual([patched.data, patched.metadata.labels], [{ a: '3' }, { 'stork.test/x': 'y' }]);
    });

    it('refuses a JSON patch whose test fails, as Invalid', async () => {
      const { client, configMap } = stage();
      const { metadata } = await client.create(core.configMaps, configMap('test', { data: { a: '1' } }));
      const body = [
        { op: 'test', path: '/data/a', value: '2' },
        { op: 'remove', path: '/data/a' },
      ] as const;
      const refusal = await refusalOf(client.patch(core.configMaps, metadata, { type: 'json', body }));
      assert.deepEqual([refusal.code, refusal.status.code], ['Invalid', 422]);
      const missing = [{ op: 'remove', path: '/data/z' }] as const;
      assert.equal(
        (await refusalOf(client.patch(core.configMaps, metadata, { type: 'json', body: missing }))).status.code,
        422,
      );
      assert.deepEqual((await client.get(core.configMaps, metadata)).data, { a: '1' });
    });

    it('merges by merge patch, null removes', async () => {
      const { client, configMap } = stage();
      const { metadata } = await client.create(core.configMaps, configMap('merge', { data: { a: '1', b: '2' } }));
      const body = { data: { a: null, c: '3' }, metadata: { labels: { x: 'y' } } };
      const patched = await client.patch(core.configMaps, metadata, { type: 'merge', body });
      assert.deepEqual([patched.data, patched.metadata.labels], [{ b: '2', c: '3' }, { x: 'y' }]);
    });

    it('pins a patch to the resourceVersion in it', async () => {
      const { client, configMap } = stage();
      const { metadata } = await client.create(core.configMaps, configMap('pin'));
      const { resourceVersion } = metadata;
      const body = (value: string) => ({ metadata: { resourceVersion }, data: { a: value } });
      await client.patch(core.configMaps, metadata, { type: 'merge', body: body('1') });
      const refusal = await refusalOf(client.patch(core.configMaps, metadata, { type: 'merge', body: body('2') }));
      assert.equal(refusal.code, 'Conflict');
    });

    it('merges lists by key in a strategic patch, replaces them in a merge patch', async () => {
      const { client, deployment } = stage();
      const { metadata } = await client.create(core.deployments, deployment('strategic'));
      const containers = [{ name: 'side', image: 'side:1' }];
      const body = { spec: { template: { spec: { containers } } } };
      const merged = await client.patch(core.deployments, metadata, { type: 'strategic', body });
      const names = merged.spec?.template.spec?.containers.map((one) => one.name);
      assert.deepEqual(names?.toSorted(), ['main', 'side']);
      const replaced = await client.patch(core.deployments, metadata, { type: 'merge', body });
      assert.deepEqual(
        replaced.spec?.template.spec?.containers.map((one) => one.name),
        ['side'],
      );
    });

    it('refuses to patch what is absent', async () => {
      const { client, namespace } = stage();
      const call = client.patch(core.configMaps, { namespace, name: 'absent' }, { type: 'merge', body: { data: {} } });
      assert.equal((await refusalOf(call)).code, 'NotFound');
    });
  });
}
