/** Objects one by one: identity, conflicts, generation, the status subresource, deletion. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StorkError } from '../../errors.ts';
import { core } from '../core.ts';
import { type MakeWorld, refusalOf, setStage } from './conformance-world.ts';

export function describeObjects(makeWorld: MakeWorld): void {
  describe('objects', () => {
    const stage = setStage(makeWorld);

    it('gives a new object its uid, resourceVersion and time, without managedFields', async () => {
      const { client, configMap } = stage();
      const made = await client.create(core.configMaps, configMap('new', { data: { a: '1' } }));
      assert.match(made.metadata.uid ?? '', /^[0-9a-f-]{36}$/);
      assert.match(made.metadata.resourceVersion ?? '', /^\d+$/);
      assert.match(made.metadata.creationTimestamp ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.equal(made.metadata.managedFields, undefined);
      assert.equal(made.metadata.generation, undefined);
      assert.deepEqual([made.kind, made.apiVersion, made.data], ['ConfigMap', 'v1', { a: '1' }]);
      assert.deepEqual(await client.get(core.configMaps, made.metadata), made);
    });

    it('refuses a second object of the name', async () => {
      const { client, configMap } = stage();
      await client.create(core.configMaps, configMap('twice'));
      const refusal = await refusalOf(client.create(core.configMaps, configMap('twice')));
      assert.deepEqual([refusal.code, refusal.status.code], ['AlreadyExists', 409]);
      assert.equal(refusal.message, 'configmaps "twice" already exists');
      assert.equal(refusal.status.details?.name, 'twice');
    });

    it('finds nothing, and gets NotFound, for an absent object', async () => {
      const { client, namespace } = stage();
      const key = { namespace, name: 'absent' };
      assert.equal(await client.find(core.configMaps, key), undefined);
      const refusal = await refusalOf(client.get(core.configMaps, key));
      assert.deepEqual([refusal.code, refusal.message], ['NotFound', 'configmaps "absent" not found']);
      assert.equal(refusal.about, `configmaps ${namespace}/absent`);
    });

    it('says that a kind is not served, also to find', async () => {
      const { client, namespace } = stage();
      const resource = { group: 'nobody.example', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };
      const refusal = await refusalOf(client.find(resource, { namespace, name: 'x' }));
      assert.deepEqual([refusal.code, refusal.status.code], ['NotFound', 404]);
    });

    it('refuses to create in a namespace that does not exist', async () => {
      const { client, configMap } = stage();
      const object = configMap('lost');
      const lost = { ...object, metadata: { ...object.metadata, namespace: 'nowhere' } };
      const refusal = await refusalOf(client.create(core.configMaps, lost));
      assert.deepEqual([refusal.code, refusal.message], ['NotFound', 'namespaces "nowhere" not found']);
    });

    it('makes a name from generateName', async () => {
      const { client, configMap } = stage();
      const made = await client.create(
        core.configMaps,
        configMap('', { metadata: { name: '', generateName: 'gen-' } }),
      );
      assert.match(made.metadata.name, /^gen-[a-z0-9]{5}$/);
    });

    it('refuses wrong names, label values and finalizers as Invalid', async () => {
      const { client, configMap } = stage();
      assert.equal((await refusalOf(client.create(core.configMaps, configMap('Not_A_Name')))).code, 'Invalid');
      const label = configMap('label', { metadata: { name: '', labels: { a: 'no spaces' } } });
      const refusal = await refusalOf(client.create(core.configMaps, label));
      assert.equal(refusal.status.details?.causes?.[0]?.field, 'metadata.labels');
      const finalizer = configMap('finalizer', { metadata: { name: '', finalizers: ['unqualified'] } });
      assert.equal((await refusalOf(client.create(core.configMaps, finalizer))).code, 'Invalid');
    });

    it('refuses a new object with a resourceVersion', async () => {
      const { client, configMap } = stage();
      const object = configMap('versioned', { metadata: { name: '', resourceVersion: '5' } });
      assert.equal((await refusalOf(client.create(core.configMaps, object))).status.code, 500);
    });

    it('replaces the version it was given and refuses an older one', async () => {
      const { client, configMap } = stage();
      const first = await client.create(core.configMaps, configMap('replace', { data: { a: '1' } }));
      const second = await client.replace(core.configMaps, { ...first, data: { b: '2' } });
      assert.deepEqual(second.data, { b: '2' });
      assert.notEqual(second.metadata.resourceVersion, first.metadata.resourceVersion);
      assert.equal(second.metadata.uid, first.metadata.uid);
      const refusal = await refusalOf(client.replace(core.configMaps, { ...first, data: { c: '3' } }));
      assert.deepEqual([refusal.code, refusal.status.code], ['Conflict', 409]);
      assert.match(refusal.message, /the object has been modified/);
    });

    it('refuses to replace without a resourceVersion, before asking the server', async () => {
      const { client, configMap } = stage();
      await client.create(core.configMaps, configMap('unversioned'));
      await assert.rejects(
        client.replace(core.configMaps, configMap('unversioned')),
        (error) => error instanceof StorkError && error.code === 'IncompleteKey',
      );
    });

    it('leaves the resourceVersion of an object that a write does not change', async () => {
      const { client, configMap } = stage();
      const made = await client.create(core.configMaps, configMap('same', { data: { a: '1' } }));
      const again = await client.replace(core.configMaps, made);
      assert.equal(again.metadata.resourceVersion, made.metadata.resourceVersion);
    });

    it('refuses to replace an object of another uid', async () => {
      const { client, configMap } = stage();
      const made = await client.create(core.configMaps, configMap('reborn'));
      const other = { ...made, metadata: { ...made.metadata, uid: 'another' } };
      assert.equal((await refusalOf(client.replace(core.configMaps, other))).code, 'Conflict');
    });

    it('does nothing in a dry run', async () => {
      const { client, configMap, namespace } = stage();
      const made = await client.create(core.configMaps, configMap('dry', { data: { a: '1' } }), { dryRun: 'All' });
      assert.deepEqual(made.data, { a: '1' });
      assert.equal(await client.find(core.configMaps, { namespace, name: 'dry' }), undefined);
    });

    it('counts spec changes in generation, not labels, not status', async () => {
      const { client, deployment } = stage();
      const made = await client.create(core.deployments, deployment('generation'));
      assert.equal(made.metadata.generation, 1);
      const labelled = await client.replace(core.deployments, {
        ...made,
        metadata: { ...made.metadata, labels: { a: 'b' } },
      });
      assert.equal(labelled.metadata.generation, 1);
      const scaled = await client.replace(core.deployments, {
        ...labelled,
        spec: { ...deployment('generation').spec, replicas: 3 },
      } as typeof made);
      assert.equal(scaled.metadata.generation, 2);
      const reported = await client.replace(
        core.deployments,
        { ...scaled, status: { replicas: 3 } },
        { subresource: 'status' },
      );
      assert.equal(reported.metadata.generation, 2);
      assert.equal(reported.status?.replicas, 3);
    });

    it('writes status only through its subresource, and nothing else there', async () => {
      const { client, deployment } = stage();
      const made = await client.create(core.deployments, { ...deployment('status'), status: { replicas: 7 } });
      assert.equal(made.status?.replicas, undefined);
      const ignored = await client.replace(core.deployments, { ...made, status: { replicas: 7 } });
      assert.equal(ignored.status?.replicas, undefined);
      const changed = { ...ignored, spec: { ...deployment('status').spec, replicas: 9 }, status: { replicas: 1 } };
      const reported = await client.replace(core.deployments, changed as typeof made, { subresource: 'status' });
      assert.deepEqual([reported.status?.replicas, reported.spec?.replicas], [1, 1]);
    });

    it('scales by the scale subresource', async () => {
      const { client, deployment, namespace } = stage();
      const { metadata } = await client.create(core.deployments, deployment('scale'));
      await client.patch(
        core.deployments,
        metadata,
        { type: 'merge', body: { spec: { replicas: 4 } } },
        { subresource: 'scale' },
      );
      assert.equal((await client.get(core.deployments, { namespace, name: 'scale' })).spec?.replicas, 4);
    });

    it('answers reviews without storing them', async () => {
      const { client, powerlessUser } = stage();
      const review = await client.create(core.subjectAccessReviews, {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        metadata: { name: '' },
        spec: { user: powerlessUser, resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'default' } },
      });
      assert.equal(review.status?.allowed, false);
    });

    it('acts as somebody else', async () => {
      const { client, powerlessUser, namespace } = stage();
      const other = client.as({ user: powerlessUser, groups: ['readers'] });
      const refusal = await refusalOf(other.get(core.configMaps, { namespace, name: 'any' }));
      assert.deepEqual([refusal.code, refusal.status.code], ['Forbidden', 403]);
      assert.ok(refusal.message.includes(`User "${powerlessUser}" cannot get resource "configmaps" in API group ""`));
      assert.throws(() => client.as({ user: 'line\nbreak' }), StorkError);
    });

    it('tells what it serves', async () => {
      const { client } = stage();
      const served = await client.discover();
      const deployments = served.find((one) => one.group === 'apps' && one.plural === 'deployments');
      assert.ok(deployments !== undefined);
      assert.ok(deployments.verbs.includes('watch'));
      const { kind, namespaced, preferred } = deployments;
      assert.deepEqual([kind, namespaced, preferred], ['Deployment', true, true]);
      assert.match(await client.version(), /^v1\.\d+\.\d+/);
    });

    it('stops a call whose signal is aborted, with the signal’s reason', async () => {
      const { client, namespace } = stage();
      const signal = AbortSignal.abort(new Error('enough'));
      await assert.rejects(client.get(core.configMaps, { namespace, name: 'a' }, { signal }), /enough/);
      await assert.rejects(
        client.get(core.configMaps, { name: 'a' }),
        (error) => error instanceof StorkError && error.code === 'IncompleteKey',
      );
    });
  });
}
