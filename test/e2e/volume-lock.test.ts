/** What the lock of an update relies on: a real kubelet keeps a second pod from a volume that says ReadWriteOncePod, and lets it go. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { lockLabel } from '../../agent/migration/destination/lock-claims.ts';
import { type Cluster, cluster } from '../demo/commands.ts';
import { eventually, testbed } from './bed.ts';

const namespace = 'volume-lock';

interface PodView {
  readonly spec: { readonly nodeName?: string };
  readonly status: { readonly phase: string };
}

const kinds = [
  { claim: 'files', volumeMode: 'Filesystem', use: 'volumeMounts: [{ name: data, mountPath: /data }]' },
  { claim: 'device', volumeMode: 'Block', use: 'volumeDevices: [{ name: data, devicePath: /dev/data }]' },
] as const;

describe('a volume that is locked while pods come', () => {
  let side: Cluster;
  before(async () => {
    await testbed('up');
    await testbed('load-image', 'toolbox');
    side = cluster((await testbed('kubeconfig')).trim(), 'b');
    await side.kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--wait', '--timeout=120s']);
    await side.kubectl(['create', 'namespace', namespace]);
  });
  after(() => side.kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--wait=false']));

  const phaseOf = async (name: string) => (await side.get<PodView>(['pod', name, '-n', namespace])).status.phase;
  const running = (name: string) =>
    eventually(`pod ${name}`, async () => ((await phaseOf(name)) === 'Running' ? 'Running' : undefined), 120_000);

  for (const { claim, volumeMode, use } of kinds)
    it(`starts a second pod on the same node only when the first is gone (${volumeMode})`, async () => {
      const pod = (name: string, node = '') => `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  terminationGracePeriodSeconds: 0
  ${node === '' ? '' : `nodeName: ${node}`}
  containers:
    - { name: c, image: 'stork.test/toolbox:1', imagePullPolicy: IfNotPresent, command: [sleep, '1000000'], ${use} }
  volumes: [{ name: data, persistentVolumeClaim: { claimName: ${claim} } }]
`;
      await side.apply(`apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: ${claim}, namespace: ${namespace} }
spec:
  accessModes: [ReadWriteOnce]
  volumeMode: ${volumeMode}
  storageClassName: stork-csi
  resources: { requests: { storage: 64Mi } }
`);
      await side.apply(pod(`${claim}-mover`));
      await running(`${claim}-mover`);
      const first = await side.get<PodView>(['pod', `${claim}-mover`, '-n', namespace]);
      const { spec } = await side.get<{ spec: { volumeName: string } }>(['pvc', claim, '-n', namespace]);
      const modes = (...accessModes: string[]) => {
        const change = JSON.stringify({ metadata: { labels: { [lockLabel]: 'run-1' } }, spec: { accessModes } });
        return side.kubectl(['patch', 'pv', spec.volumeName, '--type', 'merge', '-p', change]);
      };
      await modes('ReadWriteOncePod');
      const second = `${claim}-user`;
      await side.apply(pod(second, first.spec.nodeName));
      const refusal = await eventually('the refusal', async () => {
        const args = ['events', '-n', namespace, '--field-selector', `involvedObject.name=${second}`];
        const { items } = await side.get<{ items: { message: string }[] }>(args);
        return items.find(({ message }) => message.includes('ReadWriteOncePod'))?.message;
      });
      assert.match(refusal, /already in use by another pod/);
      assert.equal(await phaseOf(second), 'Pending');
      await side.kubectl(['delete', 'pod', `${claim}-mover`, '-n', namespace, '--wait', '--timeout=180s']);
      await modes('ReadWriteOnce');
      await running(second);
    });
});
