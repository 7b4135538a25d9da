import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type BedPlan, bedNumbers, listClusters, listNodes, parseClusterName, planBed, serverUrl } from './plan.ts';

describe('the plan of the test bed', () => {
  const plan = planBed();

  it('has two clusters of two nodes, each node in a zone of its own', () => {
    assert.deepEqual(
      listNodes(plan).map(({ name, zone }) => [name, zone]),
      [
        ['stork-a-1', 'zone-a1'],
        ['stork-a-2', 'zone-a2'],
        ['stork-b-1', 'zone-b1'],
        ['stork-b-2', 'zone-b2'],
      ],
    );
  });

  it('gives no address, range, port, device or chain twice, over all beds', () => {
    const beds = bedNumbers.map((number) => planBed(number));
    const values = beds.flatMap((bed) => [bed.name, ...Object.values(bed.chains), ...uniqueValues(bed)]);
    assert.equal(new Set(values).size, values.length);
  });

  const uniqueValues = (bed: BedPlan) =>
    listClusters(bed).flatMap((cluster) => [
      ...[cluster.bridge, cluster.hostAddress, cluster.nodeCidr, cluster.podCidr, cluster.serviceCidr],
      ...[cluster.etcdPort, cluster.etcdPeerPort, cluster.controllerManagerPort, cluster.schedulerPort],
      ...cluster.nodes.flatMap((node) => [node.address, node.podCidr, node.hostVeth]),
    ]);

  it('keeps device names within the 15 characters that Linux allows', () => {
    const names = [...bedNumbers.map((number) => planBed(number))]
      .flatMap(listClusters)
      .flatMap(({ bridge, nodes }) => [bridge, ...nodes.map((node) => node.hostVeth)]);
    assert.deepEqual(
      names.filter((name) => name.length > 15),
      [],
    );
  });

  it('puts pods, nodes and the DNS service inside the ranges that the rules speak of', () => {
    for (const cluster of listClusters(plan)) {
      const prefix = (cidr: string) => cidr.split('.').slice(0, 2).join('.');
      for (const node of cluster.nodes) assert.equal(prefix(node.podCidr), prefix(cluster.podCidr));
      assert.equal(prefix(cluster.dnsAddress), prefix(cluster.serviceCidr));
    }
  });

  it('knows clusters by letter, in either case, and no others', () => {
    assert.equal(parseClusterName('A'), 'a');
    assert.equal(parseClusterName('c'), undefined);
    assert.equal(serverUrl(plan.b), 'https://10.250.2.1:6443');
  });
});
