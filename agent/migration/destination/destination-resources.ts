/** How a destination writes, starts and stops what peers send: the resources service, as the grant's ServiceAccount. */
import type { KubeClient } from '../../../kube/client/client.ts';
import type { Clock } from '../../../kube/clock.ts';
import { identityOfServiceAccount } from '../../resources/apply/apply-objects.ts';
import { stopOwners } from '../../resources/stop-owners.ts';
import { createWaveApplier } from './apply-wave.ts';
import type { DestinationServices } from './destination-services.ts';
import { createStarter } from './start-namespaces.ts';

export function destinationResources(parts: {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly agentNamespace: string;
  /** Seals what is stashed. */
  readonly stashKey: string;
}): Pick<DestinationServices, 'asPeer' | 'applyObjects' | 'activate' | 'scaleDown'> {
  const { client, agentNamespace } = parts;
  return {
    asPeer: (serviceAccount) => client.as(identityOfServiceAccount(`${agentNamespace}/${serviceAccount}`)),
    applyObjects: createWaveApplier(parts),
    activate: createStarter(parts),
    async scaleDown(peerClient, namespace, names, signal) {
      await stopOwners(peerClient, { namespace, names }, signal);
    },
  };
}
