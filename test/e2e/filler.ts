/** A small application whose volume holds as many random bytes as a test wants: random, so that every byte has to travel. */
import { createHash } from 'node:crypto';
import type { Cluster } from '../demo/commands.ts';
import type { Bed } from './bed.ts';
import { claimPath, listingOf } from './volume-pages.ts';

export const claimName = 'filler';

export interface FillerOptions {
  readonly megabytes: number;
  readonly storageClass?: string | undefined;
}

const fileMegabytes = 20;

/** Deployment, ConfigMap and claim in a new namespace; resolves when the files are written. */
export async function deployFiller(side: Cluster, namespace: string, options: FillerOptions): Promise<void> {
  await side.apply(renderFiller(namespace, options.storageClass ?? 'stork-csi'));
  await side.kubectl(['-n', namespace, 'rollout', 'status', 'deployment/filler', '--timeout=120s']);
  const files = Math.ceil(options.megabytes / fileMegabytes);
  await rewriteFiles(
    side,
    namespace,
    Array.from({ length: files }, (_, at) => at),
  );
  const odd = 'cd /data && ln -s file-0 link && mkfifo pipe && mkdir -p a/b && echo text > a/b/c && chmod 4750 a/b/c';
  await side.exec(namespace, 'deployment/filler', ['sh', '-ec', odd]);
}

/** Gives these files new random contents. */
export async function rewriteFiles(side: Cluster, namespace: string, files: readonly number[]): Promise<void> {
  const write = files.map((at) => `dd if=/dev/urandom of=/data/file-${at} bs=1M count=${fileMegabytes} 2>/dev/null`);
  await side.exec(namespace, 'deployment/filler', ['sh', '-ec', [...write, 'sync'].join('\n')]);
}

/** One digest of everything that find and sha256sum see of the claim. The application must not be writing. */
export async function fillerDigest(side: Cluster, namespace: string): Promise<string> {
  const listing = await listingOf(await claimPath(side, namespace, claimName));
  return createHash('sha256').update(listing).digest('hex');
}

/** What one migration left behind on either side; other tests' and the demo's things don't count. */
export async function leftoversOf({ a, b }: Bed, migrationUid: string): Promise<readonly string[]> {
  const kinds =
    'jobs.batch,pods,configmaps,persistentvolumeclaims,persistentvolumes,volumesnapshots.snapshot.storage.k8s.io,volumesnapshotcontents.snapshot.storage.k8s.io';
  const label = `stork.libopenstorage.org/operation=${migrationUid}`;
  const args = ['get', kinds, '-A', '-l', label, '-o', 'name', '--ignore-not-found'];
  const found = await Promise.all(
    [a, b].map(async (side) => (await side.kubectl(args)).split('\n').map((name) => [side.context, name])),
  );
  return found
    .flat()
    .filter(([, name]) => name !== '')
    .map((words) => words.join(' '));
}

function renderFiller(namespace: string, storageClass: string): string {
  return `apiVersion: v1
kind: Namespace
metadata: { name: ${namespace} }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: filler, namespace: ${namespace} }
data: { purpose: a test }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: ${claimName}, namespace: ${namespace} }
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ${storageClass}
  resources: { requests: { storage: 1Gi } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: filler, namespace: ${namespace} }
spec:
  replicas: 1
  strategy: { type: Recreate }
  selector: { matchLabels: { app: filler } }
  template:
    metadata: { labels: { app: filler } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: filler
          image: stork.test/toolbox:1
          imagePullPolicy: IfNotPresent
          command: [sh, -c, 'sleep 1000000']
          volumeMounts: [{ name: data, mountPath: /data }]
      volumes: [{ name: data, persistentVolumeClaim: { claimName: ${claimName} } }]
`;
}
