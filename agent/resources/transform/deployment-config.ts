/** OpenShift's DeploymentConfig: put to rest. */
import { withoutReplicas } from './replicas.ts';
import type { Transform } from './transform-context.ts';

export const transformDeploymentConfig: Transform = (object) => withoutReplicas(object);
