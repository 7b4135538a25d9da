import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { applyDefaults } from '../../crds/schema/index.ts';
import { allKinds, resourceTransformations, type TransformSpec } from '../../crds/v1alpha1/index.ts';
import type { Resource } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { manualClock } from '../../kube/clock.ts';
import { ApiError } from '../../kube/errors.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { faulty } from '../../kube/fake/faulty.ts';
import { silentLog } from '../../kube/log.ts';
import { recordEdges } from '../../kube/runtime/edge-coverage.ts';
import { runMachine } from '../../kube/runtime/run-machine.ts';
import { anyOf, configMap, deployment } from '../resources/testing/sample-objects.ts';
import { transformationMachine } from './transformation-machine.ts';

const edges = recordEdges();
after(() =>
  assert.deepEqual(
    edges.uncrossed(transformationMachine({ trying: fakeApiServer({ clock: manualClock() }).client() })),
    [],
  ),
);

const key = { namespace: 'shop', name: 'west' };
const deployments: Resource = anyOf(core.deployments);

async function aCluster(specs: readonly TransformSpec[]) {
  const clock = manualClock();
  const server = fakeApiServer({ clock });
  server.serve(...allKinds);
  const client = server.client();
  const trying = faulty(server.client());
  await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  const { apiVersion, kind } = resourceTransformations;
  const object = { apiVersion, kind, metadata: key, specs: { transformSpecs: [...specs] } };
  await client.create(resourceTransformations, applyDefaults(resourceTransformations.schema, object));
  const reconcile = runMachine(transformationMachine({ trying }), {
    client,
    clock,
    log: silentLog(),
    onEdge: edges.onEdge,
  });
  return {
    server,
    client,
    trying,
    async check() {
      for (let runs = 0; runs < 5; runs += 1) {
        const result = await reconcile('shop/west', new AbortController().signal);
        if (result.do !== 'requeue') break;
        await clock.advance(result.seconds * 1000);
      }
      const { status } = await client.get(resourceTransformations, key);
      return { status, message: status?.conditions?.find(({ type }) => type === 'Succeeded')?.message ?? '' };
    },
  };
}

const toWest = (path: string, value: string): TransformSpec => ({
  resource: 'apps/v1/Deployment',
  paths: [{ path, value, type: 'string', operation: 'modify' }],
});

describe('checking a transformation', () => {
  it('is Ready when it fits what is there, and leaves nothing behind', async () => {
    const cluster = await aCluster([toWest('spec.template.spec.nodeName', 'n1')]);
    await cluster.client.create(deployments, deployment('shop', { replicas: 2 }));
    const before = cluster.server.objects().length;
    const { status, message } = await cluster.check();
    assert.equal(status?.status, 'Ready', message);
    assert.deepEqual(
      status?.resources?.map(({ kind, name, status: state }) => [kind, name, state]),
      [['Deployment', 'web', 'Ready']],
    );
    assert.equal(message, '1 object fits');
    assert.equal(cluster.server.objects().length, before);
  });

  it('fails by the field when an operation means nothing', async () => {
    const cluster = await aCluster([toWest('metadata.name', 'other')]);
    const { status, message } = await cluster.check();
    assert.equal(status?.status, 'Failed');
    assert.match(message, /specs\.transformSpecs\[0\]\.paths\[0\]: \/metadata\/name: of metadata only labels/);
  });

  it('fails by the object that it does not fit, and is checked again when it is corrected', async () => {
    const cluster = await aCluster([toWest('spec.template.spec.containers.image', 'web:2')]);
    await cluster.client.create(deployments, deployment('shop', {}));
    const { status, message } = await cluster.check();
    assert.equal(status?.status, 'Failed');
    assert.match(message, /1 of 1 objects do not fit: Deployment web: .*\/spec\/template\/spec\/containers\/0/);
    assert.equal(status?.resources?.[0]?.status, 'Failed');
    const specs = { transformSpecs: [toWest('/spec/template/spec/containers/0/image', 'web:2')] };
    await cluster.client.patch(resourceTransformations, key, { type: 'merge', body: { specs } });
    const again = await cluster.check();
    assert.equal(again.status?.status, 'Ready', again.message);
    assert.equal(again.status?.conditions?.find(({ type }) => type === 'Succeeded')?.status, 'True');
  });

  it('looks at nothing that never travels', async () => {
    const steps = '[{"op":"test","path":"/data/key","value":"ours"}]';
    const paths: TransformSpec['paths'] = [{ path: '/', value: steps, type: 'string', operation: 'jsonpatch' }];
    const cluster = await aCluster([{ resource: '/v1/ConfigMap', paths }]);
    const configMaps: Resource = anyOf(core.configMaps);
    await cluster.client.create(configMaps, configMap('shop'));
    const made = { ...configMap('shop', { 'ca.crt': 'x' }), metadata: { name: 'kube-root-ca.crt', namespace: 'shop' } };
    await cluster.client.create(configMaps, made);
    const { status, message } = await cluster.check();
    assert.deepEqual([status?.status, message], ['Ready', '1 object fits']);
  });

  it('fails when the API server would not take the result, in its words', async () => {
    const cluster = await aCluster([toWest('spec.strategy.type', 'Sideways')]);
    await cluster.client.create(deployments, deployment('shop', {}));
    cluster.trying.next('create', invalid());
    const { status, message } = await cluster.check();
    assert.equal(status?.status, 'Failed');
    assert.match(message, /would not accept it: strategy type Sideways/);
  });

  it('says what could not be tried', async () => {
    const cluster = await aCluster([toWest('spec.template.spec.nodeName', 'n1')]);
    await cluster.client.create(deployments, deployment('shop', {}));
    cluster.trying.next('create', new ApiError({ code: 403, reason: 'Forbidden', message: 'no right' }, 'deployments'));
    const { status, message } = await cluster.check();
    assert.equal(status?.status, 'Ready');
    assert.match(message, /1 could not be tried: Deployment web: not tried: no right/);
  });

  it('fails by a kind that the cluster does not serve', async () => {
    const cluster = await aCluster([{ ...toWest('spec.x', 'y'), resource: 'apps/v9/Deployment' }]);
    const { message } = await cluster.check();
    assert.match(message, /serves no apps\/v9\/Deployment/);
  });
});

const invalid = () => new ApiError({ code: 422, reason: 'Invalid', message: 'strategy type Sideways' }, 'deployments');
