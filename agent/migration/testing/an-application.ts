/** The application that tests migrate: a namespace `db` on A with one claim `data`, and a pod that may use it. */
import { core } from '../../../kube/client/core.ts';
import { type FakeClusterOptions, type Side, type TwoClusters, twoClusters } from './two-clusters.ts';

export async function aDatabase(side: Side, name = 'data', content = 'one', storageClassName = 'fast'): Promise<void> {
  await side.client.create(core.persistentVolumeClaims, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: 'db', labels: { app: 'db' } },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName, resources: { requests: { storage: '1Gi' } } },
  });
  await side.world.settle();
  await side.world.write('db', name, content);
}

export function aPod(side: Side, claim = 'data'): void {
  side.server.seed(core.pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'db-0', namespace: 'db' },
    spec: {
      containers: [{ name: 'db' }],
      nodeName: 'n1',
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: claim } }],
    },
    status: { phase: 'Running' },
  });
}

export async function anApplication(options: FakeClusterOptions = {}): Promise<TwoClusters> {
  const world = twoClusters(options);
  world.a.server.seed(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'db' } });
  await aDatabase(world.a);
  return world;
}

/** A destination that holds a complete point, and a source that has written since. */
export async function synced(): Promise<TwoClusters> {
  const world = await anApplication();
  await world.migrate(world.a, 'first', {});
  await world.finish(world.a, 'first');
  await world.a.world.write('db', 'data', 'two');
  return world;
}

/** Turns until the condition holds. */
export async function turnUntil(
  world: TwoClusters,
  name: string,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  for (let turns = 0; turns < 60; turns++) {
    if (await holds()) return;
    await world.turn(world.a, name);
  }
  throw new Error('it never came to that');
}

/** Nothing temporary is left on either side: only claims that users know, their volumes, and our memory of points. */
export function leftovers(world: TwoClusters): readonly string[] {
  return [world.a, world.b].flatMap((side) => [
    ...side.server
      .objects()
      .filter(
        ({ kind, metadata }) =>
          (kind === 'PersistentVolumeClaim' && metadata.namespace !== 'db') ||
          (kind === 'PersistentVolume' && isAbandoned(side, metadata)) ||
          metadata.name.startsWith('stork-receive-'),
      )
      .map(({ kind, metadata }) => `${side.name}: ${kind} ${metadata.namespace}/${metadata.name}`),
    ...[...side.world.jobs.running.keys()].map((job) => `${side.name}: job ${job}`),
    ...[...side.world.storage.snapshots.keys()].map((snapshot) => `${side.name}: snapshot ${snapshot}`),
  ]);
}

/** A volume of ours that no claim of users holds, or that still carries our marks. */
function isAbandoned(side: Side, { name, labels }: { readonly name: string; readonly labels?: unknown }): boolean {
  const marks = typeof labels === 'object' && labels !== null ? Object.keys(labels) : [];
  if (marks.some((label) => label.startsWith('stork.'))) return true;
  return !side.server.objects().some(({ kind, spec }) => {
    if (kind !== 'PersistentVolumeClaim' || typeof spec !== 'object' || spec === null) return false;
    return 'volumeName' in spec && spec.volumeName === name;
  });
}
