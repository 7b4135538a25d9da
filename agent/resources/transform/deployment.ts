/** apps Deployment: put to rest. */
import { withoutReplicas } from './replicas.ts';
import type { Transform } from './transform-context.ts';

export const transformDeployment: Transform = (object) => withoutReplicas(object);
