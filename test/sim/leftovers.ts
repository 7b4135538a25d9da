/** What is there after an operation that should not be: temporary objects of ours, volumes that nobody holds. */
import { isManagedByAgent } from '../../crds/agent-names.ts';
import type { AnyObject } from '../../kube/client/client.ts';
import type { SimSide } from './side.ts';

/** Kept on purpose: what a claim held before it was overwritten, named in the Migration's status. */
export function leftoversOf({ name, cluster }: SimSide, kept: string): readonly string[] {
  const { server, world } = cluster;
  const objects = server.objects();
  const claimed = new Set(
    objects.filter(({ kind }) => kind === 'PersistentVolumeClaim').map(({ spec }) => fieldOf(spec, 'volumeName')),
  );
  const isLeft = (object: AnyObject) => {
    const { kind, metadata } = object;
    if (kind === 'PersistentVolume')
      return (
        !claimed.has(metadata.name) || Object.keys(metadata.labels ?? {}).some((label) => label.startsWith('stork.'))
      );
    if (kind === 'ConfigMap') return metadata.name.startsWith('stork-receive-') && !isKept(object);
    return !ofInstallation.has(kind) && isManagedByAgent(metadata);
  };
  // The reference driver's snapshots are no objects, which would be found by name when their volume is gone.
  const snapshots = [...world.storage.snapshots.values()].filter(
    ({ key, volume }) => !kept.includes(key) && world.storage.volumes.has(volume),
  );
  return [
    ...objects.filter(isLeft).map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`),
    ...snapshots.map(({ key, volume }) => `snapshot ${key} of ${volume}`),
    ...[...world.storage.claims.keys()].map((claim) => `readable claim ${claim}`),
  ].map((what) => `${name}: ${what}`);
}

/** The record of what was overwritten, until it expires. */
const isKept = (map: AnyObject): boolean => /"phase":"Kept"/.test(String(fieldOf(map.data, 'record')));

const ofInstallation: ReadonlySet<string> = new Set([
  'MutatingWebhookConfiguration',
  'Namespace',
  'ValidatingWebhookConfiguration',
]);

function fieldOf(object: unknown, field: string): unknown {
  if (typeof object !== 'object' || object === null) return undefined;
  return new Map<string, unknown>(Object.entries(object)).get(field);
}
