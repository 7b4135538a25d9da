/**
 * The two clusters as the end-to-end tests find them: up, agents installed from the built image by the built plugin, paired.
 * Idempotent: the first test file of a run does the work, the others find it done.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Cluster, cluster, patience, repository, run } from '../demo/commands.ts';
import { builtImageDigest, expectSuccess, install, pairBoth } from '../demo/pairing.ts';

export interface Bed {
  readonly a: Cluster;
  readonly b: Cluster;
}

export { agentNamespace } from '../demo/pairing.ts';

export async function bed(images: readonly string[] = []): Promise<Bed> {
  const archive = 'dist/stork-agent-image.tar';
  if (!existsSync(join(repository, archive))) throw new Error(`${archive} is missing: npm run build`);
  await testbed('up');
  await testbed('load-image', join(repository, archive), ...images);
  const kubeconfig = (await testbed('kubeconfig')).trim();
  const [a, b] = [cluster(kubeconfig, 'a'), cluster(kubeconfig, 'b')];
  const imageDigest = builtImageDigest();
  await Promise.all([a, b].map((side) => install(side, { imageDigest })));
  await pairBoth(a, b);
  return { a, b };
}

export async function testbed(...args: readonly string[]): Promise<string> {
  const result = await run(process.execPath, [join(repository, 'test/testbed/main.ts'), ...args], {
    timeoutMs: 900_000,
  });
  return expectSuccess(result).stdout;
}

/** Removes a test's namespaces on both sides and waits until they are gone. */
export async function removeNamespaces(bedOfTest: Bed, ...namespaces: readonly string[]): Promise<void> {
  const args = ['delete', 'namespace', ...namespaces, '--ignore-not-found', '--wait', '--timeout=120s'];
  await Promise.all([bedOfTest.a.kubectl(args), bedOfTest.b.kubectl(args)]);
}

/**
 * What a migration must not leave behind, on either side; empty when all is well. Snapshots taken before an overwrite are
 * kept on purpose and not counted. Of one operation (a Migration's uid), or of all.
 */
export async function leftovers({ a, b }: Bed, operation?: string): Promise<readonly string[]> {
  const kinds = 'jobs.batch,pods,persistentvolumeclaims,volumesnapshots.snapshot.storage.k8s.io,configmaps';
  const found: string[] = [];
  for (const side of [a, b]) {
    const list = await side.get<{ items: { kind: string; metadata: { namespace: string; name: string } }[] }>([
      kinds,
      '-A',
      '-l',
      `stork.libopenstorage.org/operation${operation === undefined ? '' : `=${operation}`}`,
    ]);
    for (const { kind, metadata } of list.items)
      found.push(`${side.context}: ${kind} ${metadata.namespace}/${metadata.name}`);
    const volumes = await side.get<{ items: { metadata: { name: string; labels?: Record<string, string> } }[] }>([
      'persistentvolumes',
      '-l',
      'stork.libopenstorage.org/hand-over',
    ]);
    for (const { metadata } of volumes.items) found.push(`${side.context}: PersistentVolume ${metadata.name}`);
  }
  return found;
}

export interface MigrationView {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status: {
    readonly stage: string;
    readonly status: string;
    readonly reason?: string;
    readonly activeSide?: string;
    readonly volumes?: readonly {
      readonly persistentVolumeClaim: string;
      readonly bytesSent?: number;
      readonly digest?: string;
      readonly point?: string;
    }[];
    readonly resources?: readonly {
      readonly kind: string;
      readonly name: string;
      readonly status: string;
      readonly reason?: string;
      readonly version?: string;
      readonly transformedBy?: string;
    }[];
    readonly summary?: { readonly volumes?: string; readonly resources?: string };
    readonly rule?: { readonly blockedMilliseconds?: number };
  };
}

export const migration = (side: Cluster, namespace: string, name: string) =>
  side.get<MigrationView>(['migrations.stork.libopenstorage.org', name, '-n', namespace]);

/** Asks again until the answer is there; for what a cluster does by itself. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined>, timeoutMs = 60_000): Promise<T> {
  const limitMs = timeoutMs * patience;
  const deadline = Date.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${limitMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
