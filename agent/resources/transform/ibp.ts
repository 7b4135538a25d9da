/** IBM Blockchain Platform's peers, orderers, CAs and consoles: put to rest like a Deployment, as Stork does. */
import { withoutReplicas } from './replicas.ts';
import type { Transform } from './transform-context.ts';

export const transformIbp: Transform = (object) => withoutReplicas(object);
