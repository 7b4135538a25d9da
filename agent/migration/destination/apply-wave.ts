/** One wave of a peer's objects, applied as the ServiceAccount of its grant. */
import type { KubeClient } from '../../../kube/client/client.ts';
import type { Clock } from '../../../kube/clock.ts';
import { applyObjects, identityOfServiceAccount } from '../../resources/apply/apply-objects.ts';
import type { DestinationServices } from './destination-services.ts';

export interface WaveParts {
  /** The agent's own. */
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly agentNamespace: string;
}

export function createWaveApplier({ client, clock, agentNamespace }: WaveParts): DestinationServices['applyObjects'] {
  return async ({ sender, migration, time, objects }, signal) => {
    const identity = identityOfServiceAccount(`${agentNamespace}/${sender.grant.serviceAccount}`);
    const [namespace = '', name = ''] = migration.split('/');
    const request = { objects, pairId: sender.pairId, migration: { namespace, name, time }, grant: sender.grant };
    const applied = await applyObjects({ client, clock, identity }, request, signal);
    return applied.map(({ ref, ...outcome }) => ({ ...ref, ...outcome }));
  };
}
