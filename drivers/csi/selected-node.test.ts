import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core, type PersistentVolume } from '../../kube/client/core.ts';
import { manualClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { placeCopy } from './selected-node.ts';

function aVolumeAt(key: string, value: string): PersistentVolume {
  const term = { matchExpressions: [{ key, operator: 'In', values: [value] }] };
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'p' },
    spec: { nodeAffinity: { required: { nodeSelectorTerms: [term] } } },
  };
}

describe('where a copy is made', () => {
  const server = fakeApiServer({ clock: manualClock() });
  const access = { client: server.client(), provisioner: 'd' };
  for (const name of ['n1', 'n2']) {
    const labels = { 'topology.d/node': name, 'topology.kubernetes.io/zone': name };
    server.seed(core.nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } });
  }
  for (const volumeBindingMode of ['WaitForFirstConsumer', 'Immediate'])
    server.seed(core.storageClasses, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: volumeBindingMode },
      provisioner: 'd',
      volumeBindingMode,
    });

  it('is named when the data lies on one node and the class would wait', async () => {
    const source = aVolumeAt('topology.d/node', 'n2');
    const placed = await placeCopy(access, source, 'WaitForFirstConsumer');
    assert.deepEqual(placed, { 'volume.kubernetes.io/selected-node': 'n2' });
    assert.deepEqual(await placeCopy(access, source, 'Immediate'), {});
  });

  it('is left to the scheduler when any node of a zone will do', async () => {
    const zonal = aVolumeAt('topology.kubernetes.io/zone', 'n1');
    assert.deepEqual(await placeCopy(access, zonal, 'WaitForFirstConsumer'), {});
  });
});
