/** Answers `POST purge`: deletes what this pair brought earlier and its source has no more. */
import type { PurgeFacts } from '../../resources/purge/decide-purge.ts';
import { findRunning, purgeObjects } from '../../resources/purge/purge-objects.ts';
import { maxPurgeResults, type PurgeAnswer, type PurgeRequest } from '../messages.ts';
import type { DestinationServices, Sender } from './destination-services.ts';
import { mustCover } from './must-cover.ts';
import { purgeClaims } from './purge-claims.ts';

export async function purge(
  services: DestinationServices,
  sender: Sender,
  request: PurgeRequest,
  signal: AbortSignal,
): Promise<PurgeAnswer> {
  mustCover(
    services,
    sender,
    request.scopes.map(({ namespace }) => namespace),
  );
  const writer = services.asPeer(sender.grant.serviceAccount);
  const { scopes } = request;
  const facts: PurgeFacts = {
    pairId: sender.pairId,
    since: request.since,
    namespaces: request.namespaces,
    selectors: request.selectors ?? {},
    excludeSelectors: request.excludeSelectors ?? {},
    mode: request.dryRun === true ? 'Plan' : 'Run',
  };
  const isClaims = (scope: (typeof scopes)[number]) => scope.group === '' && scope.kind === 'PersistentVolumeClaim';
  const namespaces = new Set(scopes.map(({ namespace }) => namespace));
  const running = await findRunning(services.client, sender.pairId, namespaces, signal);
  const parts = { client: services.client, writer, running, maxResults: maxPurgeResults };
  const objects = await purgeObjects(parts, { ...facts, scopes: scopes.filter((scope) => !isClaims(scope)) }, signal);
  const claims = await purgeClaims(services, { writer, running, facts, scopes: scopes.filter(isClaims) }, signal);
  return {
    results: [...objects.results, ...claims].map(({ ref, result, reason }) => ({ ...ref, result, reason })),
    notPurged: objects.notPurged,
    more: objects.more,
  };
}
