import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../../kube/client/core.ts';
import { systemClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { faulty } from '../../kube/fake/faulty.ts';
import { silentLog } from '../../kube/log.ts';
import { informerSet } from '../../kube/runtime/informer-set.ts';
import { askCapacity, capacityRoute, createCapacityMeter, sumCapacity } from './capacity.ts';
import { connectAgents, eventually, pairConfigs, startAgent } from './two-agents.ts';

describe("the peer's capacity", () => {
  it('is summed over topology segments; a class whose storage says nothing is unknown', () => {
    const said = [
      { storageClassName: 'fast', capacity: '10Gi' },
      { storageClassName: 'fast', capacity: '512Mi' },
      { storageClassName: 'gone', capacity: '1Gi' },
      { storageClassName: 'slow' },
    ];
    assert.deepEqual(sumCapacity(['slow', 'fast'], said), [
      { name: 'fast', freeBytes: String(10.5 * 1024 ** 3) },
      { name: 'slow', freeBytes: undefined },
    ]);
  });

  it('crosses the pair, to a peer that may write there only, and is unknown of an older one', async () => {
    const server = fakeApiServer({ clock: systemClock() });
    const client = server.client();
    const storage = { apiVersion: 'storage.k8s.io/v1', metadata: { name: 'fast' } };
    await client.create(core.storageClasses, { ...storage, kind: 'StorageClass', provisioner: 'x' });
    const metadata = { name: 'c1', namespace: 'kube-system' };
    const capacity = { ...storage, kind: 'CSIStorageCapacity', metadata, storageClassName: 'fast', capacity: '2Gi' };
    await client.create(core.csiStorageCapacities, capacity);
    const clock = systemClock();
    const counted = faulty(client, (verb, call) => {
      calls.push(verb);
      return call();
    });
    const calls: string[] = [];
    await using informers = informerSet({ client: counted, clock, random: Math.random, log: silentLog() });
    const measure = createCapacityMeter(informers, clock);
    await using left = await startAgent('left', [capacityRoute(measure)]);
    await using right = await startAgent('right');
    const { toLeft, toRight } = await connectAgents(left, right);
    const { signal } = new AbortController();
    assert.deepEqual(await askCapacity(toLeft, signal), [{ name: 'fast', freeBytes: String(2 * 1024 ** 3) }]);
    await eventually(() => toLeft.link.capacity !== undefined, 'the link asks by itself');
    assert.equal(await askCapacity(toRight, signal), undefined);
    const [asked, grown] = [calls.length, { type: 'merge', body: { capacity: '3Gi' } } as const];
    await client.patch(core.csiStorageCapacities, metadata, grown);
    while ((await measure(signal))[0]?.freeBytes !== String(3 * 1024 ** 3)) await clock.sleep(5);
    assert.equal(calls.length, asked, 'the API server is not asked again');
    const { onLeft } = pairConfigs(left, right);
    left.service.declare({ ...onLeft, grant: { ...onLeft.grant, directions: ['Send'] } });
    await eventually(() => toLeft.state.ready === 'No', 'cut off');
    await eventually(() => toLeft.state.ready === 'Yes', 'connected again');
    assert.deepEqual(await askCapacity(toLeft, signal), []);
  });
});
