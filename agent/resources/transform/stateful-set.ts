/**
 * apps StatefulSet: put to rest. Claim templates travel as the server completed them (`status.phase` too): the list is
 * atomic, and only an equal one can be applied to a set that somebody else made, on the way back.
 */
import { withoutReplicas } from './replicas.ts';
import type { Transform } from './transform-context.ts';

export const transformStatefulSet: Transform = (object) => withoutReplicas(object);
