/** What the destination serves and can do, asked for once per look; an older peer can't say, and gets what the source prefers. */
import { StorkError } from '../../../kube/errors.ts';
import type { Peer } from '../../peer/peer.ts';
import type { PeerVersions } from '../../resources/collect/kinds.ts';
import { kindsAnswerSchema, paths } from '../messages.ts';
import { sourceLimits } from './source-services.ts';

export interface PeerAbilities {
  readonly versions: PeerVersions | undefined;
  readonly features: ReadonlySet<string>;
}

export async function findPeerAbilities(peer: Peer, operation: string, signal?: AbortSignal): Promise<PeerAbilities> {
  const deadlineMs = sourceLimits.longAnswerMs;
  try {
    const path = paths.kinds(operation);
    const { kinds, features = [] } = await peer.request({
      method: 'GET',
      path,
      answer: kindsAnswerSchema,
      signal,
      deadlineMs,
    });
    const byKind = Map.groupBy(kinds, ({ group, kind }) => `${group}/${kind}`);
    const versions = new Map([...byKind].map(([kind, served]) => [kind, new Set(served.map((one) => one.version))]));
    return { versions, features: new Set(features) };
  } catch (error) {
    if (error instanceof StorkError && error.code === 'UnknownRoute')
      return { versions: undefined, features: new Set() };
    throw error;
  }
}
