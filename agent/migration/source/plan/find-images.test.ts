import assert from 'node:assert/strict';
import { it } from 'node:test';
import { core } from '../../../../kube/client/core.ts';
import { manualClock } from '../../../../kube/clock.ts';
import { fakeApiServer } from '../../../../kube/fake/fake-api-server.ts';
import { findImages } from './find-images.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const ran = { ready: true, restartCount: 0 };
const workload = (kind: string, images: readonly string[]) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'db', namespace: 'db' },
  spec: { template: { spec: { containers: images.map((image, index) => ({ name: `c${index}`, image })) } } },
});

it('names images by the digest that runs here, as the runtime completes their names', async () => {
  const server = fakeApiServer({ clock: manualClock() });
  const containerStatuses = [
    { name: 'db', image: 'docker.io/library/mysql:8', imageID: `docker.io/library/mysql@${digest}`, ...ran },
    { name: 'side', image: 'registry:5000/side:latest', imageID: 'sha256:short', ...ran },
  ];
  server.seed(core.pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'db-0', namespace: 'db' },
    status: { containerStatuses },
  });
  const objects = [
    workload('StatefulSet', ['mysql:8', 'registry:5000/side']),
    workload('Deployment', [`web@${digest}`]),
  ];
  const found = await findImages(server.client(), { objects, namespaces: ['db'] }, new AbortController().signal);
  assert.deepEqual(found, [
    `mysql:8 is ${digest} here`,
    'registry:5000/side (no running pod tells its digest)',
    `web@${digest}`,
  ]);
});
