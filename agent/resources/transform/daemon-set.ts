/** apps DaemonSet: it has no count to put to rest (Stork's rule too); only its status stays behind. */
import type { Transform } from './transform-context.ts';

export const transformDaemonSet: Transform = (object) => object;
