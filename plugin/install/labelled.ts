/** Everything that an installation makes is marked as ours, so that nobody else's object is ever replaced or removed. */
import { agentName, managedByLabel } from '../../crds/agent-names.ts';
import type { ObjectMeta } from '../../kube/client/client.ts';

const mark = { [managedByLabel]: agentName, 'app.kubernetes.io/part-of': 'stork' } as const;

export function labelled(metadata: ObjectMeta): ObjectMeta {
  return { ...metadata, labels: { ...metadata.labels, ...mark } };
}
