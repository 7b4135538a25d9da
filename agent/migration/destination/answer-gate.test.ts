import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core, type Pod } from '../../../kube/client/core.ts';
import { agentLabels, operationLabels } from '../names.ts';
import type { ReceiveRecord } from '../records.ts';
import { anApplication } from '../testing/an-application.ts';
import { answerGate } from './answer-gate.ts';
import type { DestinationServices } from './destination-services.ts';
import { lockLabel } from './lock-claims.ts';
import { removeTemporary } from './remove-temporary.ts';

const run = 'run-7';
const begun = '2026-01-01T00:10:00Z';
const later = '2026-01-01T00:20:00Z';

/** A destination that holds a complete point, with an update of it staged. */
async function staged(over: Partial<ReceiveRecord> = {}) {
  const { a, b, migrate, finish, clock } = await anApplication();
  await migrate(a, 'first', {});
  await finish(a, 'first');
  const target = await b.client.get(core.persistentVolumeClaims, { namespace: 'db', name: 'data' });
  const claim = {
    ...{ namespace: 'db', name: 'data', uid: 'u1', sizeBytes: '1024', accessModes: ['ReadWriteOnce'] },
    volumeMode: 'Filesystem' as const,
  };
  const record: ReceiveRecord = {
    ...{ pairId: 'pair-1', pair: 'stork-system/pair', actAs: 'stork-peer', phase: 'Working', reason: 'Receiving' },
    ...{ message: 'the destination mover is at work', started: clock.now().toISOString() },
    request: {
      ...{ operation: 'op-7', migration: 'db/m', run, group: 'db/data', mode: 'update', overwrite: false },
      claims: [claim],
    },
    ...over,
  };
  await b.destination.records.saveReceive(record, undefined);
  const name = target.spec?.volumeName ?? '';
  return {
    ...{ b, clock, record, name },
    volume: () => b.client.get(core.persistentVolumes, { name }),
    pod: (status: Pod['status'], podName = 'db-0') => {
      b.server.seed(core.pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: podName, namespace: 'db' },
        spec: { containers: [{ name: 'db' }], volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] },
        status,
      });
    },
    attachedTo: (nodeName: string) =>
      b.server.seed(core.volumeAttachments, {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'VolumeAttachment',
        metadata: { name: `csi-${nodeName}` },
        spec: { attacher: 'x', nodeName, source: { persistentVolumeName: name } },
        status: { attached: true },
      }),
    /** What the mover hears once the snapshot that is the way back is cut. */
    async ask(services: DestinationServices = b.destination) {
      for (let asked = 0; asked < 5; asked++) {
        const answer = await answerGate(services, run);
        if (answer.state !== 'Wait') return answer;
        b.world.storage.settle();
      }
      return { state: 'Wait' } as const;
    },
  };
}

const ended = (startedAt: string) => ({
  phase: 'Succeeded',
  containerStatuses: [
    {
      name: 'db',
      image: '',
      imageID: '',
      ready: false,
      restartCount: 0,
      state: { terminated: { exitCode: 0, startedAt } },
    },
  ],
});

describe('the gate of an update', () => {
  it('opens behind a lock that lets no second pod mount the volume, and that goes with the update', async () => {
    const { b, ask, volume, record } = await staged();
    assert.deepEqual(await ask(), { state: 'Go' });
    assert.deepEqual((await volume()).spec?.accessModes, ['ReadWriteOncePod']);
    await removeTemporary(b.destination, record);
    const { spec, metadata } = await volume();
    assert.deepEqual(spec?.accessModes, ['ReadWriteOnce']);
    assert.equal(metadata.labels?.[lockLabel], undefined);
  });

  it('stays shut when a pod comes between its first look and the lock', async () => {
    const { b, ask, pod, volume } = await staged();
    const driverFor: DestinationServices['driverFor'] = (of) => {
      pod({ phase: 'Pending' });
      return b.destination.driverFor(of);
    };
    const answer = await ask({ ...b.destination, driverFor });
    assert.deepEqual(answer, { state: 'Refused', reason: 'in use on the destination by pod db-0' });
    assert.equal((await b.destination.records.findReceive(run))?.value.applyingSince, undefined);
    assert.deepEqual((await volume()).spec?.accessModes, ['ReadWriteOncePod']);
  });

  it('opens again for a mover that was interrupted, though a pod waits for the volume', async () => {
    const { ask, pod } = await staged({ applyingSince: begun });
    pod({ phase: 'Pending' });
    assert.deepEqual(await ask(), { state: 'Go' });
  });

  it('does not open again when a pod has the volume', async () => {
    const { ask, pod } = await staged({ applyingSince: begun });
    pod({ phase: 'Running' });
    assert.deepEqual(await ask(), { state: 'Refused', reason: 'in use on the destination by pod db-0' });
  });

  it('does not open again when a pod had the volume meanwhile and has ended', async () => {
    const { ask, pod } = await staged({ applyingSince: begun });
    pod(ended(later));
    assert.deepEqual(await ask(), {
      state: 'Refused',
      reason: 'used while its update was interrupted by pod db-0',
    });
  });

  it('opens again when pods had the volume only before', async () => {
    const { ask, pod } = await staged({ applyingSince: later });
    pod(ended(begun));
    assert.deepEqual(await ask(), { state: 'Go' });
  });

  it('waits for another node to let go of the volume, not for ever', async () => {
    const { ask, attachedTo, clock } = await staged();
    attachedTo('n2');
    assert.equal((await ask()).state, 'Wait');
    await clock.advance(11 * 60_000);
    assert.deepEqual(await ask(), {
      state: 'Refused',
      reason: 'attached on the destination to node n2, where no pod uses it any more',
    });
  });

  it("does not take the mover's own node for another one", async () => {
    const { b, ask, attachedTo } = await staged();
    attachedTo('n1');
    b.server.seed(core.pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'mover', namespace: 'db', labels: { ...operationLabels('op-7'), [agentLabels.run]: run } },
      spec: { containers: [{ name: 'mover' }], nodeName: 'n1' },
    });
    assert.deepEqual(await ask(), { state: 'Go' });
  });
});
