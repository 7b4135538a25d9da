/** One wave of a peer's objects, applied as the ServiceAccount of its grant. */
import type { KubeClient } from '../../../kube/client/client.ts';
import type { Clock } from '../../../kube/clock.ts';
import { applyObjects, identityOfServiceAccount } from '../../resources/apply/apply-objects.ts';
import { sealStash } from '../../resources/stash/seal-stash.ts';
import { isStash } from '../../resources/stash/stash-object.ts';
import type { DestinationServices } from './destination-services.ts';

export interface WaveParts {
  /** The agent's own. */
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly agentNamespace: string;
  /** Seals what is kept for activation. */
  readonly stashKey: string;
}

export function createWaveApplier({
  client,
  clock,
  agentNamespace,
  stashKey,
}: WaveParts): DestinationServices['applyObjects'] {
  return ({ sender, migration, time, requester, objects, plan }, signal) => {
    const account = `${agentNamespace}/${sender.grant.serviceAccount}`;
    const identity = identityOfServiceAccount(account);
    const sealed = objects.map((object) =>
      isStash(object) ? sealStash(object, { pairId: sender.pairId, account }, stashKey) : object,
    );
    const [namespace = '', name = ''] = migration.split('/');
    const request = {
      objects: sealed,
      pairId: sender.pairId,
      migration: { namespace, name, time, requester },
      grant: sender.grant,
      plan,
    };
    return applyObjects({ client, clock, identity }, request, signal);
  };
}
