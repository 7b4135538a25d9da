import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyObject, Resource } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { isFields } from '../resources/fields.ts';
import { anyOf, configMap, queueDefinition } from '../resources/testing/sample-objects.ts';
import { anApplication } from './testing/an-application.ts';

const crds: Resource = anyOf(core.customResourceDefinitions);
const queue = (version: string): Resource => ({
  ...{ group: 'example.com', version, plural: 'queues', kind: 'Queue', namespaced: true },
});
const anObject: AnyObject = {
  ...{ apiVersion: 'example.com/v2', kind: 'Queue' },
  metadata: { name: 'q', namespace: 'db' },
  spec: { members: 3 },
};

/** A CRD that serves these versions, the first preferred. */
function serving(...versions: readonly string[]): AnyObject {
  const definition = queueDefinition('example.com');
  const [template] =
    isFields(definition.spec) && Array.isArray(definition.spec.versions) ? definition.spec.versions : [];
  const list = versions.map((name, at) => ({ ...template, name, storage: at === 0 }));
  return { ...definition, spec: { ...Object(definition.spec), versions: list } };
}

async function migrated(there: readonly string[]) {
  const world = await anApplication();
  await world.a.client.create(crds, serving('v2', 'v1'));
  await world.a.client.create(queue('v2'), anObject);
  if (there.length > 0) await world.b.client.create(crds, serving(...there));
  await world.migrate(world.a, 'first', {});
  const status = await world.finish(world.a, 'first');
  return { world, told: status.resources?.find(({ kind }) => kind === 'Queue') };
}

describe('the version in which a kind travels', () => {
  it('is one that both sides serve', async () => {
    const { world, told } = await migrated(['v1']);
    assert.deepEqual([told?.status, told?.version], ['Successful', 'v1']);
    const there = await world.b.client.get(queue('v1'), { namespace: 'db', name: 'q' });
    assert.deepEqual(there.spec, { members: 3 });
  });

  it('is what the source prefers when the destination serves that too', async () => {
    const { told } = await migrated(['v1', 'v2']);
    assert.deepEqual([told?.status, told?.version], ['Successful', 'v2']);
  });

  it('is none when they have none in common: the object is named', async () => {
    const { told } = await migrated(['v3']);
    assert.equal(told?.status, 'Failed');
    assert.match(told?.reason ?? '', /does not serve example\.com\/v2 Queue; it serves v3/);
  });

  it('is none for a kind that the destination lacks and whose CRD may not be made there', async () => {
    const { told } = await migrated([]);
    assert.match(told?.reason ?? '', /does not serve example\.com\/v2 Queue/);
  });
});

describe('objects that Git keeps', () => {
  it('are told by name and by one condition, and not overwritten', async () => {
    const world = await anApplication();
    const { a, b } = world;
    const settings: Resource = anyOf(core.configMaps);
    const tracked = { 'argocd.argoproj.io/tracking-id': 'shop:/ConfigMap:db/settings' };
    const metadata = { name: 'settings', namespace: 'db', annotations: tracked };
    await a.client.create(settings, { ...configMap('db', { key: 'new' }), metadata });
    await b.client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'db' } });
    await b.client.create(settings, { ...configMap('db', { key: 'Git' }), metadata });
    await world.migrate(a, 'first', {});
    const status = await world.finish(a, 'first');
    assert.equal(status.status, 'PartialSuccess');
    const told = status.resources?.find(({ kind }) => kind === 'ConfigMap');
    assert.match(told?.reason ?? '', /Argo CD \(application shop\) manages it on the destination: .*on the source/);
    const condition = status.conditions?.find(({ type }) => type === 'ManagedByGitOps');
    assert.equal(condition?.status, 'True');
    assert.deepEqual((await b.client.get(settings, metadata)).data, { key: 'Git' });
  });
});
