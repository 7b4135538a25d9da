/** The certificates of the port that API servers call (9444), in the Secret `stork-webhook-tls`. */
import { webhookName } from '../../crds/agent-names.ts';
import { type Served, serviceDnsNames } from '../peer/serving-tls.ts';

export const webhookServed = (namespace: string): Served => ({
  secretName: 'stork-webhook-tls',
  authorityName: 'stork-webhook-ca',
  dnsNames: serviceDnsNames(webhookName, namespace),
});
