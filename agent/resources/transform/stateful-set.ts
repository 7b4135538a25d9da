/** apps StatefulSet: put to rest. Claim templates lose what the source's controllers wrote into them. */
import { mapItems, withoutField } from '../fields.ts';
import { withoutReplicas } from './replicas.ts';
import type { Transform } from './transform-context.ts';

export const transformStatefulSet: Transform = (object) =>
  withoutReplicas(mapItems(object, ['spec', 'volumeClaimTemplates'], (claim) => withoutField(claim, ['status'])));
