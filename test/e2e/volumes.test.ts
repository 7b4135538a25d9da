/** Volumes on storage without snapshots: read live with the fact recorded, or at rest by --quiesce; another class on B. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { expectSuccess } from '../demo/pairing.ts';
import { type Bed, bed, leftovers, migration, removeNamespaces } from './bed.ts';
import { claimPath, digestOf } from './volume-pages.ts';

const namespace = 'plain-storage';

/** Writes a number to one file, then to the other, until it is told to end: at rest they differ by one at most. */
const writer =
  'trap "exit 0" TERM; i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo $i > /data/one; echo $i > /data/two; done; rm -f /data/one /data/two; sleep 1000000';

const application = `apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: files, namespace: ${namespace} }
spec: { accessModes: [ReadWriteOnce], storageClassName: stork-local, resources: { requests: { storage: 1Gi } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: writer, namespace: ${namespace} }
spec:
  replicas: 1
  selector: { matchLabels: { app: writer } }
  template:
    metadata: { labels: { app: writer } }
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: c
          image: stork.test/toolbox:1
          imagePullPolicy: IfNotPresent
          command: [sh, -c, '${writer}']
          volumeMounts: [{ name: data, mountPath: /data }]
      volumes: [{ name: data, persistentVolumeClaim: { claimName: files } }]
`;

const restricted = 'restricted-storage';

const restrictedApplication = `apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: files, namespace: ${restricted} }
spec: { accessModes: [ReadWriteOnce], storageClassName: stork-local, resources: { requests: { storage: 1Gi } } }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: device, namespace: ${restricted} }
spec: { accessModes: [ReadWriteOnce], volumeMode: Block, storageClassName: stork-csi-wffc, resources: { requests: { storage: 32Mi } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: user, namespace: ${restricted} }
spec:
  selector: { matchLabels: { app: user } }
  template:
    metadata: { labels: { app: user } }
    spec:
      terminationGracePeriodSeconds: 1
      securityContext:
        { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, seccompProfile: { type: RuntimeDefault } }
      containers:
        - name: c
          image: stork.test/toolbox:1
          imagePullPolicy: IfNotPresent
          command: [sh, -c, 'trap "exit 0" TERM; sleep 1000000 & wait']
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
          volumeMounts: [{ name: data, mountPath: /data }]
          volumeDevices: [{ name: device, devicePath: /dev/raw-device }]
      volumes:
        - { name: data, persistentVolumeClaim: { claimName: files } }
        - { name: device, persistentVolumeClaim: { claimName: device } }
`;

interface Told {
  readonly status: {
    readonly volumes: readonly {
      readonly persistentVolumeClaim: string;
      readonly reason: string;
      readonly status: string;
      readonly digest: string;
    }[];
    readonly quiesce?: {
      readonly workloads: readonly { readonly name: string; readonly state: string; readonly before: string }[];
      readonly stoppedTimestamp: string;
      readonly resumedTimestamp: string;
    };
  };
}

describe('volumes whose storage has no snapshots', () => {
  let clusters: Bed;
  before(async () => {
    clusters = await bed(['toolbox']);
    await removeNamespaces(clusters, namespace);
    await clusters.a.kubectl(['create', 'namespace', namespace]);
    await clusters.a.apply(application);
    await ready();
  });
  after(async () => {
    // The folder of a static volume is the next test's.
    await clusters.a.exec(namespace, 'deployment/writer', ['sh', '-c', 'touch /tmp/stop; sleep 1; ls -A /data']);
    await removeNamespaces(clusters, namespace);
    await freeLocalVolume(clusters);
  });

  const ready = () => clusters.a.kubectl(['-n', namespace, 'rollout', 'status', 'deployment/writer', '--timeout=180s']);
  const told = (name: string) => clusters.a.get<Told>(['migrations.stork.libopenstorage.org', name, '-n', namespace]);
  const migrate = (...args: readonly string[]) =>
    clusters.a.stork(['migrate', namespace, '--to', 'b', '--storage-class-mapping', 'stork-local=stork-csi', ...args], {
      timeoutMs: 120_000,
    });

  it('are read live, and each says so; B has them in the class they are mapped to', async () => {
    const { exitCode, stderr } = await migrate('--name', 'live');
    assert.ok(exitCode === 0 || exitCode === 2, stderr);
    assert.match((await told('live')).status.volumes[0]?.reason ?? '', /the live volume was read/);
    const claim = await clusters.b.get<{ spec: { storageClassName: string } }>(['pvc', 'files', '-n', namespace]);
    assert.equal(claim.spec.storageClassName, 'stork-csi');
  });

  it('are with --quiesce of one point in time, and what wrote them comes back as it was', async () => {
    const before = await clusters.a.get<{ spec: object; metadata: { annotations?: object } }>(deployment);
    expectSuccess(await migrate('--name', 'rested', '--quiesce'));
    const { status } = await told('rested');
    assert.equal(status.volumes[0]?.status, 'Successful');
    assert.match(status.volumes[0]?.reason ?? '', /read while what writes it was stopped/);
    assert.deepEqual(
      status.quiesce?.workloads.map(({ name, state, before: was }) => [name, state, was]),
      [['writer', 'Resumed', 'replicas 1']],
    );
    const after = await clusters.a.get<typeof before>(deployment);
    assert.deepEqual(after.spec, before.spec);
    assert.deepEqual(after.metadata.annotations, before.metadata.annotations);
    await ready();
    const done = await migration(clusters.a, namespace, 'rested');
    assert.deepEqual(await leftovers(clusters, done.metadata.uid), []);
  });

  it('hold on B what the writer had written last, whole, and what the status says', async () => {
    const path = await claimPath(clusters.b, namespace, 'files');
    const [one, two] = await Promise.all(['one', 'two'].map((name) => readFile(join(path, name), 'utf8')));
    assert.match(`${one}${two}`, /^\d+\n\d+\n$/);
    assert.ok(Number(one) - Number(two) === 0 || Number(one) - Number(two) === 1, `${one} and ${two}`);
    assert.equal(await digestOf(path), (await told('rested')).status.volumes[0]?.digest);
  });

  const deployment = ['deployment', 'writer', '-n', namespace];
});

describe('volumes of a namespace that admits no root', () => {
  let clusters: Bed;
  before(async () => {
    clusters = await bed(['toolbox']);
    await removeNamespaces(clusters, restricted);
    for (const side of [clusters.a, clusters.b]) {
      await side.kubectl(['create', 'namespace', restricted]);
      await side.kubectl(['label', 'namespace', restricted, 'pod-security.kubernetes.io/enforce=restricted']);
    }
    await clusters.a.apply(restrictedApplication);
    await clusters.a.kubectl(['-n', restricted, 'rollout', 'status', 'deployment/user', '--timeout=180s']);
    await inPod('umask 077; mkdir -p /data/dir; echo mine > /data/dir/file; chmod 000 /data/dir/file');
  });
  after(async () => {
    await inPod('rm -rf /data/dir /data/top');
    await removeNamespaces(clusters, restricted);
    await freeLocalVolume(clusters, restricted);
  });

  const inPod = (script: string) => clusters.a.exec(restricted, 'deployment/user', ['sh', '-c', script]);
  const migrate = (name: string) =>
    clusters.a.stork(
      ['migrate', restricted, '--to', 'b', '--storage-class-mapping', 'stork-local=stork-csi', '--name', name],
      { timeoutMs: 180_000 },
    );

  it('are read live as the pod that uses them: what that may not read is named, and nothing is made of the rest', async () => {
    const { exitCode, stdout, stderr } = await migrate('unreadable');
    assert.equal(exitCode, 1);
    assert.match(
      `${stdout}${stderr}`,
      /User 1000, as whom the mover runs because the namespace admits no root, may not read .*dir\/file/,
    );
    assert.equal((await clusters.b.kubectl(['get', 'pvc', '-n', restricted, '-o', 'name'])).trim(), '');
  });

  it('and arrive whole when that may read everything, raw devices too', async () => {
    await inPod(
      'chmod 600 /data/dir/file; echo one | dd of=/dev/raw-device bs=1M seek=3 conv=fsync,notrunc 2>/dev/null',
    );
    expectSuccess(await migrate('readable'));
    const path = await claimPath(clusters.b, restricted, 'files');
    assert.equal(await readFile(join(path, 'dir/file'), 'utf8'), 'mine\n');
    const { uid, mode } = await stat(join(path, 'dir/file'));
    assert.deepEqual([uid, mode & 0o7777], [1000, 0o600]);
    assert.equal(await digestOf(path), (await volumeOf('readable', 'files')).digest);
    await mustHaveTheDevice();
  });

  it('are updated there as that pod, where all of it is its own: equal, and nothing is left', async () => {
    await inPod(
      'cd /data/dir; echo another > file; mkdir below; echo new > below/new; ln -s new below/link; chmod 440 below/new',
    );
    await inPod('echo two | dd of=/dev/raw-device bs=1M seek=5 conv=fsync,notrunc 2>/dev/null');
    expectSuccess(await migrate('updated'));
    const path = await claimPath(clusters.b, restricted, 'files');
    assert.equal(await readFile(join(path, 'dir/below/new'), 'utf8'), 'new\n');
    assert.equal(await digestOf(path), (await volumeOf('updated', 'files')).digest);
    await mustHaveTheDevice();
    const done = await migration(clusters.a, restricted, 'updated');
    assert.deepEqual(await leftovers(clusters, done.metadata.uid), []);
  });

  it('count by kind what that pod may not set', async () => {
    const there = await claimPath(clusters.b, restricted, 'files');
    assert.deepEqual([(await stat(there)).uid, (await stat(there)).gid], [0, 1000]);
    await inPod('echo top > /data/top');
    const { exitCode, stderr } = await migrate('counted');
    assert.equal(exitCode, 2, stderr);
    const { status, reason, digest } = await volumeOf('counted', 'files');
    assert.equal(status, 'PartialSuccess', reason);
    // Its top folder is root's, as the kubelet left it.
    assert.match(reason, /could not be set on the destination: 1 × mtime/);
    assert.equal(await readFile(join(there, 'top'), 'utf8'), 'top\n');
    assert.equal(await digestOf(there), digest);
    assert.equal((await volumeOf('counted', 'device')).status, 'Successful');
  });

  const volumeOf = async (name: string, of: string) => {
    const { status } = await clusters.a.get<Told>(['migrations.stork.libopenstorage.org', name, '-n', restricted]);
    const found = status.volumes.find(({ persistentVolumeClaim }) => persistentVolumeClaim === of);
    return found ?? assert.fail(`no volume ${of}`);
  };
  const mustHaveTheDevice = async () => {
    const [here, there] = await Promise.all(
      [clusters.a, clusters.b].map(async (side) =>
        sha256(await readFile(join(await claimPath(side, restricted, 'device'), 'disk.img'))),
      ),
    );
    assert.equal(there, here);
  };
});

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** A static volume with policy Retain stays Released: the next test needs it Available and empty again. */
async function freeLocalVolume({ a }: Bed, of = namespace): Promise<void> {
  const list = await a.get<{ items: { metadata: { name: string }; spec: { claimRef?: { namespace: string } } }[] }>([
    'pv',
  ]);
  for (const { metadata, spec } of list.items)
    if (spec.claimRef?.namespace === of)
      await a.kubectl(['patch', 'pv', metadata.name, '--type', 'merge', '-p', '{"spec":{"claimRef":null}}']);
}
