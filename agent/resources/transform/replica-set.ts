/** apps ReplicaSet without an owner: put to rest. */
import { withoutReplicas } from './replicas.ts';
import type { Transform } from './transform-context.ts';

export const transformReplicaSet: Transform = (object) => withoutReplicas(object);
