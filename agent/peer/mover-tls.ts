/** The certificates of the port that movers call (9443), in the Secret `stork-mover-tls`. */
import { agentName } from '../../crds/agent-names.ts';
import {
  ensureServingTls,
  type Served,
  type ServingTls,
  type ServingTlsOptions,
  serviceDnsNames,
} from './serving-tls.ts';

export const moverServed = (namespace: string): Served => ({
  secretName: 'stork-mover-tls',
  authorityName: 'stork-mover-ca',
  dnsNames: serviceDnsNames(agentName, namespace),
});

export const ensureMoverTls = (options: ServingTlsOptions): Promise<ServingTls> =>
  ensureServingTls(moverServed(options.namespace), options);
