/** Migrations as users write them: a manifest with the fields in question, followed to its end. */
import type { Cluster } from '../demo/commands.ts';
import { agentNamespace, eventually, type MigrationView, migration } from './bed.ts';

export const storkVersion = 'stork.libopenstorage.org/v1alpha1';

export interface RunOptions {
  /** The agent's unless told. */
  readonly namespace?: string;
  readonly timeoutMs?: number;
}

const ends = ['Failed', 'Successful', 'PartialSuccess'];

/** Creates the Migration anew; resolves when it has ended, whatever its status. */
export async function runMigration(
  side: Cluster,
  name: string,
  spec: object,
  options: RunOptions = {},
): Promise<MigrationView> {
  await startMigration(side, name, spec, options.namespace ?? agentNamespace);
  return await endOf(side, name, options);
}

/** Resolves when it has ended, whatever its status. */
export async function endOf(side: Cluster, name: string, options: RunOptions = {}): Promise<MigrationView> {
  const { namespace = agentNamespace, timeoutMs = 90_000 } = options;
  return await eventually(
    `migration ${name} ends`,
    async () => {
      const view: Partial<MigrationView> = await migration(side, namespace, name);
      const { metadata, status } = view;
      return metadata !== undefined && status !== undefined && ends.includes(status.status)
        ? { metadata, status }
        : undefined;
    },
    timeoutMs,
  );
}

/** Creates the Migration anew and leaves it to run. */
export async function startMigration(side: Cluster, name: string, spec: object, namespace: string): Promise<void> {
  await side.kubectl(['-n', namespace, 'delete', 'migrations.stork.libopenstorage.org', name, '--ignore-not-found']);
  const metadata = { name, namespace };
  const to = side.context === 'a' ? 'b' : 'a';
  await side.apply(
    JSON.stringify({ apiVersion: storkVersion, kind: 'Migration', metadata, spec: { clusterPair: to, ...spec } }),
  );
}

/** What is there of the kinds, as `kind/name`, without what every namespace has. */
export async function namesIn(side: Cluster, namespace: string, kinds: string): Promise<readonly string[]> {
  const lines = (await side.kubectl(['get', kinds, '-n', namespace, '-o', 'name'])).split('\n').filter(Boolean);
  const everywhere = ['configmap/kube-root-ca.crt', 'serviceaccount/default'];
  return lines.filter((name) => !everywhere.includes(name)).toSorted();
}

/** Values of several objects by kubectl's JSONPath, as `kind/name` → value; the objects must be there. */
export async function fieldsOf(
  side: Cluster,
  namespace: string,
  objects: readonly string[],
  path: string,
): Promise<Readonly<Record<string, string>>> {
  const line = `{range .items[*]}{.kind}/{.metadata.name} {${path}}{"\\n"}{end}`;
  const text = await side.kubectl(['get', ...objects, '-n', namespace, '-o', `jsonpath=${line}`]);
  return Object.fromEntries(
    text
      .split('\n')
      .filter(Boolean)
      .map((found) => found.split(' ', 2)),
  );
}

/** One value by kubectl's JSONPath; empty when it is not there. */
export const fieldOf = (side: Cluster, namespace: string, object: string, path: string): Promise<string> =>
  side.kubectl(['get', object, '-n', namespace, '-o', `jsonpath={${path}}`]);
