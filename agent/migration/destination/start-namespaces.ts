/** Starts what a migration with startApplications brought. Its objects came themselves: older stashes of them are settled. */
import type { Clock } from '../../../kube/clock.ts';
import { activateNamespace } from '../../resources/activation.ts';
import type { DestinationServices } from './destination-services.ts';

export function createStarter(parts: {
  readonly clock: Clock;
  readonly stashKey: string;
}): DestinationServices['activate'] {
  const stash = { key: parts.stashKey, clock: parts.clock, mode: 'Settle' } as const;
  return async (client, { namespaces, only }, signal) => {
    const messages: string[] = [];
    const failures: string[] = [];
    for (const namespace of namespaces) {
      const result = await activateNamespace({ client, stash, only }, namespace, signal);
      messages.push(...result.messages);
      failures.push(...result.failures);
    }
    return { messages, failures };
  };
}
