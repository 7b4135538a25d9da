/**
 * Service: the addresses that the source cluster gave it go, unless spec.skipServiceUpdate keeps them; a headless one
 * stays headless. A fixed nodePort travels: if it is taken on the destination, that is a named failure there.
 */
import { at, removeField } from '../fields.ts';
import type { Transform } from './transform-context.ts';

export const transformService: Transform = (object, context) => {
  if (context.serviceAddresses === 'Keep') return object;
  const addresses =
    at(object, ['spec', 'clusterIP']) === 'None'
      ? []
      : [
          ['spec', 'clusterIP'],
          ['spec', 'clusterIPs'],
        ];
  return removeField(object, ...addresses, ['spec', 'loadBalancerIP'], ['spec', 'healthCheckNodePort']);
};
