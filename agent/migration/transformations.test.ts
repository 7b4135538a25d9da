import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyDefaults } from '../../crds/schema/index.ts';
import { migrations, resourceTransformations, type TransformSpec } from '../../crds/v1alpha1/index.ts';
import type { AnyObject, Resource } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { storkNames } from '../resources/names.ts';
import { anyOf, configMap, deployment, queueDefinition } from '../resources/testing/sample-objects.ts';
import { anApplication } from './testing/an-application.ts';
import type { TwoClusters } from './testing/two-clusters.ts';

const deployments: Resource = anyOf(core.deployments);
const services: Resource = anyOf(core.services);
const configMaps: Resource = anyOf(core.configMaps);
const crds: Resource = anyOf(core.customResourceDefinitions);
const queues: Resource = { group: 'example.com', version: 'v1', plural: 'queues', kind: 'Queue', namespaced: true };

const service: AnyObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'db', labels: { app: 'web' } },
  spec: { type: 'ClusterIP', externalIPs: ['10.0.0.1'], ports: [{ name: 'http', port: 80 }], selector: { app: 'web' } },
};
const queue: AnyObject = {
  apiVersion: 'example.com/v1',
  kind: 'Queue',
  metadata: { name: 'q', namespace: 'db' },
  spec: { members: 3, flavour: 'plain' },
};

const rules: TransformSpec[] = [
  {
    resource: '/v1/Service',
    selectors: { app: 'web' },
    paths: [
      { path: 'spec.type', value: 'LoadBalancer', type: 'string', operation: 'modify' },
      { path: 'metadata.labels', value: 'side:west', type: 'keypair', operation: 'modify' },
      { path: 'spec.externalIPs', value: '10.0.0.2', type: 'slice', operation: 'modify' },
      { path: '/spec/ports/0/port', value: '8080', type: 'int', operation: 'modify' },
    ],
  },
  { resource: 'example.com/v1/Queue', paths: [{ path: 'spec.flavour', value: 'spicy', operation: 'modify' }] },
  { resource: 'apps/v1/Deployment', paths: [{ path: 'spec.replicas', value: '5', type: 'int', operation: 'modify' }] },
];

/** As its controller leaves it. */
async function ready(world: TwoClusters, specs: readonly TransformSpec[], status: 'Ready' | 'Failed' | '' = 'Ready') {
  const { apiVersion, kind } = resourceTransformations;
  const metadata = { name: 'west', namespace: 'db' };
  const body = { apiVersion, kind, metadata, specs: { transformSpecs: [...specs] } };
  const { client } = world.a;
  const made = await client.create(resourceTransformations, applyDefaults(resourceTransformations.schema, body));
  const patch = { type: 'merge', body: { status: { status, observedGeneration: made.metadata.generation } } } as const;
  await client.patch(resourceTransformations, metadata, patch, { subresource: 'status' });
}

describe('a migration with a transformation', () => {
  it('M12: changes a Service, a custom resource and a workload on their way, and says so', async () => {
    const world = await anApplication();
    const { a, b } = world;
    await a.client.create(crds, queueDefinition('example.com'));
    for (const [resource, object] of [
      [services, service],
      [queues, queue],
      [deployments, deployment('db', { replicas: 2 })],
      [configMaps, configMap('db')],
    ] as const)
      await a.client.create(resource, object);
    await ready(world, rules);
    await world.migrate(a, 'first', { transformSpecs: ['west'] });
    const status = await world.finish(a, 'first');
    assert.equal(status.status, 'PartialSuccess', 'a CRD is beyond the grant of this pair');
    await b.client.create(crds, queueDefinition('example.com'));
    await world.migrate(a, 'second', { transformSpecs: ['west'] });
    const again = await world.finish(a, 'second');

    const there = await b.client.get(services, { namespace: 'db', name: 'web' });
    assert.deepEqual(there.spec, {
      type: 'LoadBalancer',
      externalIPs: ['10.0.0.1', '10.0.0.2'],
      ports: [{ name: 'http', port: 8080 }],
      selector: { app: 'web' },
    });
    assert.equal(there.metadata.labels?.side, 'west');
    assert.equal(there.metadata.annotations?.[storkNames.transformation], 'west');
    const spicy = await b.client.get(queues, { namespace: 'db', name: 'q' });
    assert.deepEqual(spicy.spec, { members: 3, flavour: 'spicy' });
    const web = await b.client.get(core.deployments, { namespace: 'db', name: 'web' });
    assert.deepEqual([web.spec?.replicas, web.metadata.annotations?.[storkNames.migrationReplicas]], [0, '5']);
    const told = Object.fromEntries((again.resources ?? []).map(({ kind, transformedBy }) => [kind, transformedBy]));
    assert.deepEqual([told.Service, told.Queue, told.Deployment, told.ConfigMap], ['west', 'west', 'west', undefined]);
  });

  it('transforms what a namespace selector found, and what came after the transformation was checked', async () => {
    const world = await anApplication();
    await ready(world, rules);
    const labels = { type: 'merge', body: { metadata: { labels: { team: 'shop' } } } } as const;
    await world.a.client.patch(core.namespaces, { name: 'db' }, labels);
    await world.a.client.create(services, service);
    await world.migrate(world.a, 'first', {
      namespaces: [],
      namespaceSelectors: { team: 'shop' },
      transformSpecs: ['west'],
    });
    await world.finish(world.a, 'first');
    const there = await world.b.client.get(core.services, { namespace: 'db', name: 'web' });
    assert.equal(there.spec?.type, 'LoadBalancer');
  });

  it('fails an object that it does not fit by name, and takes the others along', async () => {
    const world = await anApplication();
    await ready(world, [
      {
        resource: '/v1/Service',
        paths: [{ path: '/spec/ports/7/port', value: '1', type: 'int', operation: 'modify' }],
      },
    ]);
    await world.a.client.create(services, service);
    await world.a.client.create(configMaps, configMap('db'));
    await world.migrate(world.a, 'first', { transformSpecs: ['west'] });
    const status = await world.finish(world.a, 'first');
    assert.equal(status.status, 'PartialSuccess');
    assert.match(
      status.reason ?? '',
      /Service db\/web: ResourceTransformation west does not fit it: \/spec\/ports is a list of 1/,
    );
    assert.equal(await world.b.client.find(services, { namespace: 'db', name: 'web' }), undefined);
    assert.ok(await world.b.client.find(configMaps, { namespace: 'db', name: 'settings' }));
  });

  it('changes labels and StorageClass of a claim', async () => {
    const world = await anApplication();
    const paths = [{ path: '/metadata/labels/side', value: 'west', operation: 'add' } as const];
    await ready(world, [{ resource: '/v1/PersistentVolumeClaim', selectors: { app: 'db' }, paths }]);
    await world.migrate(world.a, 'first', { transformSpecs: ['west'] });
    const status = await world.finish(world.a, 'first');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    const claim = await world.b.client.get(core.persistentVolumeClaims, { namespace: 'db', name: 'data' });
    assert.deepEqual([claim.metadata.labels?.side, claim.metadata.labels?.app], ['west', 'db']);
  });

  it('is refused before anything happens when the transformation is missing or failed', async () => {
    const world = await anApplication();
    await world.migrate(world.a, 'first', { transformSpecs: ['west'] });
    const missing = await world.finish(world.a, 'first');
    assert.equal(missing.status, 'Failed');
    assert.match(
      missing.reason ?? '',
      /ResourceTransformation west \(spec.transformSpecs\) does not exist in namespace db/,
    );
    await ready(world, rules, 'Failed');
    await world.migrate(world.a, 'second', { transformSpecs: ['west'] });
    assert.match((await world.finish(world.a, 'second')).reason ?? '', /ResourceTransformation db\/west is not Ready/);
    assert.equal(await world.b.client.find(core.namespaces, { name: 'db' }), undefined);
  });

  it('waits while the transformation is being checked', async () => {
    const world = await anApplication();
    await ready(world, rules, '');
    await world.migrate(world.a, 'first', { transformSpecs: ['west'] });
    await world.turn(world.a, 'first');
    const { client } = world.a;
    const migration = await world.a.client.get(migrations, { namespace: 'db', name: 'first' });
    assert.match(migration.status?.reason ?? '', /still being checked/);
    const patch = { type: 'merge', body: { status: { status: 'Ready' } } } as const;
    await client.patch(resourceTransformations, { namespace: 'db', name: 'west' }, patch, { subresource: 'status' });
    assert.equal((await world.finish(world.a, 'first')).status, 'Successful');
  });
});
