/** Whether a pair's grant, as it stands now, covers what its peer asks for. */
import { StorkError } from '../../../kube/errors.ts';
import { grantCovers } from '../../peer/grant-covers.ts';
import type { DestinationServices, Sender } from './destination-services.ts';

/** @throws StorkError `GrantRefused` naming what is outside the grant */
export function mustCover(
  services: Pick<DestinationServices, 'agentNamespace'>,
  sender: Sender,
  namespaces: readonly string[],
): void {
  const refused = (message: string, hint: string) =>
    new StorkError({ code: 'GrantRefused', message, about: `clusterpair ${sender.pair}`, hint });
  if (!sender.grant.directions.includes('Receive'))
    throw refused(
      `The destination's ClusterPair ${sender.pair} does not receive applications (its grant has no direction Receive)`,
      'Its admin can add Receive to spec.grant.directions.',
    );
  // Whoever writes here could make itself the agent, whatever `*` was meant to cover.
  if (namespaces.includes(services.agentNamespace))
    throw refused(
      `Nothing is received into ${services.agentNamespace}, the namespace of the destination's own agent`,
      'Leave that namespace out.',
    );
  const outside = [...new Set(namespaces)].filter((name) => !grantCovers(sender.grant.namespaces, name));
  if (outside.length > 0)
    throw refused(
      `The destination's ClusterPair ${sender.pair} does not cover namespace ${outside.slice(0, 10).join(', ')}`,
      'Its admin can add it to spec.grant.namespaces.',
    );
}
