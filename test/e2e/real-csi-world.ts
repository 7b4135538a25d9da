/** The csi driver's world on cluster A of the test bed: real claims, pods that write and read, real sidecars. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DriverWorld } from '../../drivers/conformance/driver-world.ts';
import { csiDriver } from '../../drivers/csi/csi-driver.ts';
import type { VolumeRef } from '../../drivers/driver.ts';
import type { KubeClient, ObjectKey } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import { createKubeClient } from '../../kube/client/create-kube-client.ts';
import { loadKubeconfig } from '../../kube/client/load-kubeconfig.ts';
import { systemClock } from '../../kube/clock.ts';
import { faulty } from '../../kube/fake/faulty.ts';
import { mapLimit } from '../../kube/runtime/map-limit.ts';
import { eventually, testbed } from './bed.ts';

const clock = systemClock();
const image = 'stork.test/toolbox:1';
const podTimeoutMs = 120_000;
/** Volumes that the suite takes; made beforehand, several at once, since most of its time would go into starting pods. */
const volumesOfSuite = 18;
const startsAtOnce = 6;

export async function realCsiWorld(storageClass: string): Promise<DriverWorld> {
  await testbed('up');
  await testbed('load-image', 'toolbox');
  const client = await connect((await testbed('kubeconfig')).trim(), 'a');
  const { provisioner } = await client.get(core.storageClasses, { name: storageClass });
  const [volumesIn, readNamespace] = [await makeNamespace(client), await makeNamespace(client)];
  let made = 0;
  const prepareVolume = async (): Promise<VolumeRef> => {
    made += 1;
    const key = { namespace: volumesIn, name: `claim-${made}` };
    await client.create(core.persistentVolumeClaims, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: key,
      spec: {
        accessModes: ['ReadWriteOnce'],
        storageClassName: storageClass,
        resources: { requests: { storage: '16Mi' } },
      },
    });
    await runPod(client, key, key.name);
    return await refOf(client, key);
  };
  const prepared = await mapLimit(Array.from({ length: volumesOfSuite }), startsAtOnce, prepareVolume);
  return {
    readNamespace,
    start() {
      const own = faulty(client);
      return {
        driver: csiDriver({ client: own, clock, provisioner }),
        dieAtMutation: (number, moment) => own.dieAtWrite(number, moment),
        loseNextReply: () => own.loseNextReply('create'),
        hasDied: async () =>
          await own.version().then(
            () => 'No' as const,
            () => 'Yes' as const,
          ),
      };
    },
    async makeVolume(content) {
      const ref = prepared.pop() ?? (await prepareVolume());
      await writeContent(client, ref.claim, content);
      return ref;
    },
    write: (ref, content) => writeContent(client, ref.claim, content),
    async read(claim) {
      const pod = { namespace: claim.namespace ?? '', name: `read-${claim.name}`.slice(0, 63) };
      await runPod(client, claim, pod.name);
      const { stdout } = await client.exec({ ...podOf(pod), command: ['cat', '/data/content'] });
      await removePod(client, pod);
      return stdout;
    },
    settle: async () => await sleep(500),
    persistentVolume: async (ref) => ({ ...(await client.get(core.persistentVolumes, { name: ref.volume })) }),
    async countSnapshots({ volume }) {
      const pv = await client.get(core.persistentVolumes, { name: volume.volume });
      let count = 0;
      for await (const { spec } of client.list(core.volumeSnapshotContents))
        if (spec.source.volumeHandle === pv.spec?.csi?.volumeHandle) count += 1;
      return count;
    },
    async [Symbol.asyncDispose]() {
      for (const name of [volumesIn, readNamespace]) await client.delete(core.namespaces, { name });
      client.close();
    },
  };
}

async function connect(path: string, context: string): Promise<KubeClient> {
  const readText = (file: string) => readFile(file, 'utf8');
  const config = await loadKubeconfig({ env: {}, homeDirectory: '/nonexistent', readText, path, context });
  return createKubeClient({ config, env: {}, readText, terminal: 'Absent', clock, random: Math.random });
}

async function makeNamespace(client: KubeClient): Promise<string> {
  const metadata = { name: '', generateName: 'driver-' };
  const made = await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata });
  const key = { namespace: made.metadata.name, name: 'default' };
  await eventually('the ServiceAccount', async () => await client.find(core.serviceAccounts, key));
  return made.metadata.name;
}

/** A pod that mounts the claim at /data and waits; it makes a WaitForFirstConsumer claim bind. */
async function runPod(client: KubeClient, claim: ObjectKey, name: string): Promise<void> {
  const namespace = claim.namespace ?? '';
  await client.create(core.pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'main',
          image,
          imagePullPolicy: 'IfNotPresent',
          command: ['sleep', '3600'],
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        },
      ],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim.name } }],
    },
  });
  const running = async () => {
    const pod = await client.get(core.pods, { namespace, name });
    return pod.status?.phase === 'Running' ? pod : undefined;
  };
  await eventually(`pod ${namespace}/${name}`, running, podTimeoutMs);
}

async function removePod(
  client: KubeClient,
  pod: { readonly namespace: string; readonly name: string },
): Promise<void> {
  await client.delete(core.pods, pod);
  const gone = async () => ((await client.find(core.pods, pod)) === undefined ? 'gone' : undefined);
  await eventually(`the end of pod ${pod.namespace}/${pod.name}`, gone, podTimeoutMs);
}

/** The pod that wrote a volume is named like its claim and keeps running. */
async function writeContent(client: KubeClient, claim: ObjectKey, content: string): Promise<void> {
  const pod = { namespace: claim.namespace ?? '', name: claim.name };
  const command = ['sh', '-c', `printf %s '${content}' > /data/content && sync`];
  const { exitCode, stderr } = await client.exec({ ...podOf(pod), command });
  if (exitCode !== 0) throw new Error(`writing to ${pod.name}: ${stderr}`);
}

const podOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }) => ({
  namespace,
  pod: name,
});

async function refOf(
  client: KubeClient,
  key: { readonly namespace: string; readonly name: string },
): Promise<VolumeRef> {
  const { metadata, spec } = await client.get(core.persistentVolumeClaims, key);
  return { claim: { ...key, uid: metadata.uid ?? '' }, volume: spec?.volumeName ?? '' };
}
