/** Everything that an installation makes is marked as ours, so that nobody else's object is ever replaced or removed. */
import type { ObjectMeta } from '../../kube/client/client.ts';
import { agentName } from './names.ts';

const mark = { 'app.kubernetes.io/managed-by': agentName, 'app.kubernetes.io/part-of': 'stork' } as const;

export function labelled(metadata: ObjectMeta): ObjectMeta {
  return { ...metadata, labels: { ...metadata.labels, ...mark } };
}

export function isOurs({ labels }: ObjectMeta): boolean {
  return labels?.['app.kubernetes.io/managed-by'] === mark['app.kubernetes.io/managed-by'];
}
