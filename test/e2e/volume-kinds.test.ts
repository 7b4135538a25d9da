/** Every kind of volume between two clusters: raw devices, all metadata of files, each access mode, and one that grew. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, linkSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openSyscalls } from '../../agent/mover/syscalls.ts';
import { parseBytes } from '../../kube/quantity.ts';
import type { Cluster } from '../demo/commands.ts';
import { expectSuccess } from '../demo/pairing.ts';
import { type Bed, bed, leftovers, migration, removeNamespaces } from './bed.ts';
import { claimPath, digestOf, listingOf } from './volume-pages.ts';

const namespace = 'volume-kinds';

const claims = {
  files: 'ReadWriteOnce',
  device: 'ReadWriteOnce',
  shared: 'ReadWriteMany',
  published: 'ReadOnlyMany',
  alone: 'ReadWriteOncePod',
} as const;
const plainFolders = ['shared', 'published', 'alone'] as const;
const folders = ['files', ...plainFolders];

const claim = ([name, mode]: readonly string[]) => `apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  accessModes: [${mode}]
  volumeMode: ${name === 'device' ? 'Block' : 'Filesystem'}
  storageClassName: stork-csi-wffc
  resources: { requests: { storage: 32Mi } }
---
`;

const application = `${Object.entries(claims).map(claim).join('')}apiVersion: apps/v1
kind: Deployment
metadata: { name: user, namespace: ${namespace} }
spec:
  strategy: { type: Recreate }
  selector: { matchLabels: { app: user } }
  template:
    metadata: { labels: { app: user } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: c
          image: stork.test/toolbox:1
          imagePullPolicy: IfNotPresent
          command: [sh, -c, 'trap "exit 0" TERM; sleep 1000000 & wait']
          volumeMounts: [${folders.map((name) => `{ name: ${name}, mountPath: /${name} }`).join(', ')}]
          volumeDevices: [{ name: device, devicePath: /dev/raw-device }]
      volumes: [${Object.keys(claims)
        .map((name) => `{ name: ${name}, persistentVolumeClaim: { claimName: ${name} } }`)
        .join(', ')}]
`;

/** POSIX ACL xattr, version 2: owner rwx, user 1234 r--, group r-x, mask r-x, others none. */
const acl = Buffer.from(
  '0200000001000700ffffffff02000400d204000004000500ffffffff10000500ffffffff20000000ffffffff',
  'hex',
);
const syscalls = openSyscalls();

/** Owners, modes, times, links, holes, special files, attributes, names that are no text. */
function fill(root: string): void {
  const at = (name: string) => join(root, name);
  mkdirSync(at('dir/empty'), { recursive: true });
  chmodSync(at('dir'), 0o3775);
  writeFileSync(at('setuid'), '#!/bin/sh\n');
  chownSync(at('setuid'), 1001, 1002);
  chmodSync(at('setuid'), 0o6755);
  writeFileSync(at('unreadable'), 'secret', { mode: 0 });
  linkSync(at('setuid'), at('dir/linked'));
  symlinkSync('../nowhere/at all', at('dir/dangling'));
  writeFileSync(Buffer.from(`${root}/\xff\xfe name\n`, 'latin1'), 'not utf-8');
  writeFileSync(at('n'.repeat(255)), 'long');
  writeFileSync(at('sparse'), 'head');
  truncateSync(at('sparse'), 16 * 1024 * 1024);
  execFileSync('mkfifo', [at('fifo')]);
  writeFileSync(at('acl'), 'acl', { mode: 0o750 });
  syscalls.setXattr(at('acl'), { name: 'system.posix_acl_access', value: acl });
  syscalls.setXattr(at('acl'), { name: 'user.note', value: Buffer.from([0, 255, 10]) });
  syscalls.setMtime(at('dir/dangling'), 1_234_567_890_123_456_789n);
}

describe('every kind of volume', () => {
  let clusters: Bed;
  before(async () => {
    clusters = await bed(['toolbox']);
    await removeNamespaces(clusters, namespace);
    await clusters.a.kubectl(['create', 'namespace', namespace]);
    await clusters.a.apply(application);
    await ready(clusters.a);
    fill(await claimPath(clusters.a, namespace, 'files'));
    for (const name of plainFolders) writeFileSync(join(await claimPath(clusters.a, namespace, name), 'name'), name);
    await writeDevice('one', 0);
    await writeDevice('far', 7);
  });
  after(() => removeNamespaces(clusters, namespace));

  const user = 'deployment/user';
  const ready = (side: Cluster) => side.kubectl(['-n', namespace, 'rollout', 'status', user, '--timeout=180s']);
  /** A block of 4 MiB at a place, the rest of it zeros. */
  const writeDevice = (text: string, megabytes: number) =>
    clusters.a.exec(namespace, user, [
      'sh',
      '-c',
      `echo ${text} | dd of=/dev/raw-device bs=1M seek=${megabytes} conv=notrunc,fsync 2>/dev/null`,
    ]);
  /** Of as much as the source's device has: storage may round up. */
  const digestOfDevice = async (side: Cluster, megabytes: number) =>
    (await side.exec(namespace, user, ['sh', '-c', `head -c ${megabytes << 20} /dev/raw-device | sha256sum`])).slice(
      0,
      64,
    );
  const migrate = (name: string, ...args: readonly string[]) =>
    clusters.a.stork(['migrate', namespace, '--to', 'b', '--name', name, ...args], { timeoutMs: 180_000 });
  const sizeOn = async (side: Cluster, name: string) =>
    parseBytes(
      (await side.get<{ status: { capacity: { storage: string } } }>(['pvc', name, '-n', namespace])).status.capacity
        .storage,
    );

  it('arrives whole: content, metadata, access modes', async () => {
    const { a, b } = clusters;
    expectSuccess(await migrate('first', '--start'));
    await ready(b);
    const [here, there] = [await claimPath(a, namespace, 'files'), await claimPath(b, namespace, 'files')];
    assert.equal(await listingOf(there), await listingOf(here));
    for (const name of plainFolders)
      assert.equal(await readFile(join(await claimPath(b, namespace, name), 'name'), 'utf8'), name);
    const attributes = new Map(syscalls.listXattrs(join(there, 'acl')).map(({ name, value }) => [name, value]));
    assert.deepEqual(Buffer.from(attributes.get('system.posix_acl_access') ?? []), acl);
    assert.equal(await digestOfDevice(b, 32), await digestOfDevice(a, 32));
    assert.notEqual(
      await digestOfDevice(b, 32),
      createHash('sha256')
        .update(Buffer.alloc(32 << 20))
        .digest('hex'),
    );
    for (const [name, mode] of Object.entries(claims)) {
      const { spec } = await b.get<{ spec: { accessModes: readonly string[] } }>(['pvc', name, '-n', namespace]);
      assert.deepEqual(spec.accessModes, [mode], name);
    }
    const { metadata, status } = await migration(a, namespace, 'first');
    assert.equal(status.status, 'Successful', status.reason ?? '');
    const digest = status.volumes?.find(({ persistentVolumeClaim: name }) => name === 'files')?.digest;
    assert.equal(await digestOf(there), digest);
    assert.deepEqual(await leftovers(clusters, metadata.uid), []);
  });

  it('grows where the source has grown since, and gets what was written there', async () => {
    const { a, b } = clusters;
    expectSuccess(await b.stork(['deactivate', 'migration', '-n', namespace], { timeoutMs: 60_000 }));
    await b.kubectl(['-n', namespace, 'wait', '--for=delete', 'pod', '-l', 'app=user', '--timeout=180s']);
    const larger = JSON.stringify({ spec: { resources: { requests: { storage: '64Mi' } } } });
    for (const name of ['files', 'device']) {
      await a.kubectl(['-n', namespace, 'patch', 'pvc', name, '--type', 'merge', '-p', larger]);
      const grown = '--for=jsonpath={.status.capacity.storage}=64Mi';
      await a.kubectl(['-n', namespace, 'wait', grown, `pvc/${name}`, '--timeout=180s']);
    }
    await writeDevice('beyond', 48);
    // Of a device that grew nobody can tell any more whether it was written: it is sent anew only when told to.
    expectSuccess(await migrate('second', '--start', '--overwrite-destination'));
    await ready(b);
    assert.deepEqual([await sizeOn(b, 'files'), await sizeOn(b, 'device')], [64n << 20n, 64n << 20n]);
    assert.equal(await digestOfDevice(b, 64), await digestOfDevice(a, 64));
  });
});
