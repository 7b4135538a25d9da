/** StatefulSets that delete their claims (persistentVolumeClaimRetentionPolicy): nothing we stop or purge takes its data along. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Cluster } from '../demo/commands.ts';
import { expectSuccess } from '../demo/pairing.ts';
import { type Bed, bed, eventually, removeNamespaces } from './bed.ts';
import { claimPath } from './volume-pages.ts';

const namespace = 'retention';

const application = `apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db, namespace: ${namespace} }
spec:
  replicas: 1
  serviceName: db
  persistentVolumeClaimRetentionPolicy: { whenScaled: Delete, whenDeleted: Delete }
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: c
          image: stork.test/toolbox:1
          imagePullPolicy: IfNotPresent
          command: [sh, -c, 'trap "exit 0" TERM; sleep 1000000 & wait']
          volumeMounts: [{ name: data, mountPath: /data }]
  volumeClaimTemplates:
    - metadata: { name: data }
      spec: { accessModes: [ReadWriteOnce], storageClassName: stork-csi, resources: { requests: { storage: 64Mi } } }
`;

interface Set {
  readonly spec: {
    readonly replicas: number;
    readonly persistentVolumeClaimRetentionPolicy: { readonly whenScaled: string; readonly whenDeleted: string };
  };
}
interface Claim {
  readonly metadata: {
    readonly uid: string;
    readonly deletionTimestamp?: string;
    readonly ownerReferences?: readonly object[];
  };
}

describe('StatefulSets that delete their claims', () => {
  let clusters: Bed;
  before(async () => {
    clusters = await bed(['toolbox']);
    await removeNamespaces(clusters, namespace);
    await clusters.a.kubectl(['create', 'namespace', namespace]);
    await clusters.a.apply(application);
    await ready(clusters.a);
    await write('one');
  });
  after(() => removeNamespaces(clusters, namespace));

  const pod = 'statefulset/db';
  const ready = (side: Cluster) => side.kubectl(['-n', namespace, 'rollout', 'status', pod, '--timeout=180s']);
  const gone = (side: Cluster) =>
    side.kubectl(['-n', namespace, 'wait', '--for=delete', 'pod', '-l', 'app=db', '--timeout=180s']);
  const write = (text: string) => clusters.a.exec(namespace, pod, ['sh', '-c', `echo ${text} > /data/file; sync`]);
  const read = async (side: Cluster) => (await side.exec(namespace, pod, ['cat', '/data/file'])).trim();
  const says = async (side: Cluster) => {
    const { spec } = await side.get<Set>(['statefulset', 'db', '-n', namespace]);
    const { whenScaled, whenDeleted } = spec.persistentVolumeClaimRetentionPolicy;
    return `${spec.replicas} ${whenScaled} ${whenDeleted}`;
  };
  const migrate = (...args: readonly string[]) =>
    clusters.a.stork(['migrate', namespace, '--to', 'b', ...args], { timeoutMs: 120_000 });
  const ask = (side: Cluster, verb: string, ...args: readonly string[]) =>
    side.stork([verb, 'migration', '-n', namespace, ...args], { timeoutMs: 60_000 });
  const claimOn = (side: Cluster) => side.get<Claim>(['pvc', 'data-db-0', '-n', namespace]);
  /** The controller has had time to delete it. */
  const mustStay = async (side: Cluster, uid?: string) => {
    await gone(side);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const { metadata } = await claimOn(side);
    assert.equal(metadata.deletionTimestamp, undefined);
    if (uid !== undefined) assert.equal(metadata.uid, uid);
  };

  it('arrive with their claims, and rest and start without losing them', async () => {
    const { b } = clusters;
    expectSuccess(await migrate('--start'));
    await ready(b);
    assert.equal(await says(b), '1 Delete Delete');
    assert.equal(await read(b), 'one');
    const { metadata } = await claimOn(b);
    expectSuccess(await ask(b, 'deactivate'));
    assert.equal(await says(b), '0 Retain Delete');
    await mustStay(b, metadata.uid);
    expectSuccess(await ask(b, 'activate'));
    await ready(b);
    assert.equal(await says(b), '1 Delete Delete');
    assert.equal(await read(b), 'one');
  });

  it('are overwritten without losing the claim that is overwritten', async () => {
    const { b } = clusters;
    await write('two');
    expectSuccess(await migrate('--overwrite-destination'));
    assert.equal(await says(b), '0 Retain Delete');
    await mustStay(b);
    assert.equal(await readFile(join(await claimPath(b, namespace, 'data-db-0'), 'file'), 'utf8'), 'two\n');
  });

  it('are stopped where they came from only when told to, and keep their claims', async () => {
    const { a } = clusters;
    const { metadata } = await claimOn(a);
    const refused = await ask(a, 'deactivate');
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stdout, /Skipped statefulset retention\/db: it did not come by a migration/);
    assert.match(refused.stderr, /nothing in namespace retention came by a migration.*is this the right cluster/);
    assert.equal(await says(a), '1 Delete Delete');
    expectSuccess(await ask(a, 'deactivate', '--include-originals'));
    assert.equal(await says(a), '0 Retain Delete');
    await mustStay(a, metadata.uid);
    expectSuccess(await ask(a, 'activate'));
    await ready(a);
    assert.equal(await says(a), '1 Delete Delete');
    assert.equal(await read(a), 'two');
  });

  it('are purged without their claims', async () => {
    const { a, b } = clusters;
    const { metadata } = await claimOn(b);
    await a.kubectl(['-n', namespace, 'delete', pod, '--cascade=orphan']);
    await a.apply(`apiVersion: stork.libopenstorage.org/v1alpha1
kind: Migration
metadata: { name: purge, namespace: ${namespace} }
spec: { clusterPair: b, namespaces: [${namespace}], includeVolumes: false, purgeDeletedResources: true }
`);
    await eventually('the set is purged on b', async () => {
      const left = await b.kubectl(['-n', namespace, 'get', 'statefulset', '-o', 'name']);
      return left.trim() === '' ? true : undefined;
    });
    await mustStay(b, metadata.uid);
    assert.deepEqual((await claimOn(b)).metadata.ownerReferences ?? [], []);
  });
});
