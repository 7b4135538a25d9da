/**
 * Everything a migration could leave behind: objects of the agents, of the storage, locks on what belongs to the application, and
 * what lies on the disks of the nodes. What a run adds to it and is not the application's own copy is a leftover.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { agentNamespace, operationLabel } from '../../crds/agent-names.ts';
import type { Cluster } from '../demo/commands.ts';
import { bedVolumes, nodePath } from '../e2e/node-access.ts';
import { thisBed } from '../testbed/places.ts';
import { listNodes } from '../testbed/plan.ts';
import type { CrashBed } from './crash-bed.ts';

export type Things = ReadonlySet<string>;

interface Thing {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
  };
  readonly spec?: {
    readonly accessModes?: readonly string[];
    readonly claimRef?: { readonly namespace?: string };
    readonly csi?: { readonly volumeHandle?: string };
  };
  readonly status?: { readonly snapshotHandle?: string };
}

const kinds = [
  'jobs.batch',
  'pods',
  'configmaps',
  'secrets',
  'serviceaccounts',
  'leases.coordination.k8s.io',
  'roles.rbac.authorization.k8s.io',
  'rolebindings.rbac.authorization.k8s.io',
  'networkpolicies.networking.k8s.io',
  'persistentvolumeclaims',
  'persistentvolumes',
  'volumesnapshots.snapshot.storage.k8s.io',
  'volumesnapshotcontents.snapshot.storage.k8s.io',
].join(',');

/** Names of all of them, one text each; those of storage, which goes later than its objects, begin with `storage: `. */
export async function findThings({ clusters, namespace }: CrashBed): Promise<Things> {
  const sides = await Promise.all([clusters.a, clusters.b].map((side) => objectsOf(side)));
  const found = sides.flatMap((things, at) =>
    things.flatMap((thing) => describe(thing, namespace)).map((text) => text.replace('SIDE', at === 0 ? 'a' : 'b')),
  );
  const known = new Set(sides.flat().map(handleOf));
  const onDisk = (await listDisks()).filter((name) => !known.has(name));
  return new Set([...found, ...onDisk.map((name) => `storage: ${name} on a disk`)]);
}

async function objectsOf(side: Cluster): Promise<readonly Thing[]> {
  return (await side.get<{ items: readonly Thing[] }>([kinds, '-A'])).items;
}

function describe(thing: Thing, application: string): readonly string[] {
  const { kind, metadata, spec } = thing;
  const { name, namespace, labels = {}, annotations = {} } = metadata;
  const where = `SIDE ${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
  if (kind === 'PersistentVolume') {
    const isLocked = spec?.accessModes?.includes('ReadWriteOncePod') || hasOurs(labels) || hasOurs(annotations);
    if (spec?.claimRef?.namespace === application) return isLocked ? [`${where}, still marked or locked`] : [];
    return [`storage: ${where}`];
  }
  if (kind === 'VolumeSnapshotContent') return [`storage: ${where}`];
  if (namespace === application)
    return labels[operationLabel] !== undefined || name.startsWith('stork-') || kind === 'VolumeSnapshot'
      ? [where]
      : [];
  if (namespace !== agentNamespace) return kind === 'Lease' && isOfNodes(namespace) ? [] : [where];
  // Agents come and go by themselves; what is known of a claim's last point stays.
  if (kind === 'Pod' && labels['app.kubernetes.io/name'] === 'stork-agent') return [];
  return kind === 'ConfigMap' && name.startsWith('stork-claim-') ? [] : [where];
}

const isOfNodes = (namespace: string | undefined) => namespace === 'kube-node-lease' || namespace === 'kube-system';
const hasOurs = (marks: Readonly<Record<string, string>>) =>
  Object.keys(marks).some((key) => key.startsWith('stork.libopenstorage.org/'));

const handleOf = ({ spec, status }: Thing): string =>
  (spec?.csi?.volumeHandle ?? status?.snapshotHandle ?? '').replaceAll(':', '_');

async function listDisks(): Promise<readonly string[]> {
  const folders = listNodes(thisBed()).flatMap(({ name }) => ['volumes', 'snapshots'].map((kind) => ({ name, kind })));
  const lists = folders.map(async ({ name, kind }) =>
    readdir(await nodePath(name, join(bedVolumes(), kind))).catch(() => []),
  );
  return (await Promise.all(lists)).flat();
}
