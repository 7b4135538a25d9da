import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core, type DaemonSet } from '../../kube/client/core.ts';
import { manualClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { decideStorageNode, isNodePlugin, listStorageNodes, type NodeWitnesses } from './node-status.ts';

const labels = { 'topology.kubernetes.io/zone': 'z', 'topology.kubernetes.io/region': 'r' };
const healthy: NodeWitnesses = {
  node: { name: 'n', labels, ready: 'Yes' },
  registered: 'Yes',
  plugin: 'Ready',
};

function aDaemonSet(path: string, args: readonly string[]): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'plugin', namespace: 'kube-system', uid: 'ds' },
    spec: {
      selector: { matchLabels: { app: 'plugin' } },
      template: {
        metadata: {},
        spec: { containers: [{ name: 'c', args }], volumes: [{ name: 'v', hostPath: { path } }] },
      },
    },
  };
}

describe('a CSI node', () => {
  it('is Online with its place when all witnesses agree, also without plugin pods', () => {
    const online = { node: 'n', status: 'Online', reason: '', zone: 'z', region: 'r', rack: undefined };
    assert.deepEqual(decideStorageNode('d', healthy), online);
    assert.deepEqual(decideStorageNode('d', { ...healthy, plugin: 'NotInPods' }), online);
  });

  for (const [what, facts, reason] of [
    ['the driver is not registered', { registered: 'No' }, /d is not registered/],
    ['the node is not ready', { node: { ...healthy.node, ready: 'No' } }, /node is not Ready/],
    ['its pod is not ready', { plugin: 'NotReady' }, /pod of d is not Ready/],
    ['its pod is missing', { plugin: 'Absent' }, /no node-plugin pod of d/],
  ] as const)
    it(`is Offline when ${what}`, () => {
      const node = decideStorageNode('d', { ...healthy, ...facts });
      assert.equal(node.status, 'Offline');
      assert.match(node.reason, reason);
    });
});

describe('finding a driver’s node plugin', () => {
  for (const [what, path, args, expected] of [
    ['by its folder', '/var/lib/kubelet/plugins/csi.example.com', [], true],
    ['by an argument', '/var/lib/kubelet/plugins_registry/', ['--drivername=csi.example.com'], true],
    ['by the registration path', '/var/lib/kubelet/plugins/', ['--p=/plugins/csi.example.com/csi.sock'], true],
    ['not by a longer name', '/var/lib/kubelet/plugins/csi.example.com.au', [], false],
    ['not by a name with a prefix', '/var/lib/kubelet/plugins/other-csi.example.com', [], false],
    ['not without a plugin folder', '/var/log', ['--drivername=csi.example.com'], false],
  ] as const)
    it(what, () => {
      assert.equal(isNodePlugin(aDaemonSet(path, args), 'csi.example.com'), expected);
    });
});

describe('listing CSI nodes', () => {
  it('believes the pod over the CSINode entry that its crash left', async () => {
    const server = fakeApiServer({ clock: manualClock() });
    server.seed(core.daemonSets, aDaemonSet('/var/lib/kubelet/plugins/d', []));
    for (const [name, ready] of [
      ['n1', 'True'],
      ['n2', 'False'],
      ['n3', undefined],
    ] as const) {
      server.seed(core.nodes, {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name },
        status: { conditions: [{ type: 'Ready', status: 'True' }] },
      });
      const drivers = [{ name: 'd', nodeID: name }];
      server.seed(core.csiNodes, {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'CSINode',
        metadata: { name },
        spec: { drivers },
      });
      if (ready === undefined) continue;
      const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'plugin', uid: 'ds' };
      server.seed(core.pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: `p-${name}`, namespace: 'kube-system', labels: { app: 'plugin' }, ownerReferences: [owner] },
        spec: { nodeName: name, containers: [] },
        status: { conditions: [{ type: 'Ready', status: ready }] },
      });
    }
    const nodes = await listStorageNodes(server.client(), 'd');
    assert.deepEqual(
      nodes.map((node) => node.status),
      ['Online', 'Offline', 'Offline'],
    );
    const unknown = await listStorageNodes(server.client(), 'unknown');
    assert.ok(unknown.every((node) => node.status === 'Offline'));
  });
});
