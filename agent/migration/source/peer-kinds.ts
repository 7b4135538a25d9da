/** What the destination serves, asked for once per look; an older peer can't say, and gets what the source prefers. */
import { StorkError } from '../../../kube/errors.ts';
import type { Peer } from '../../peer/peer.ts';
import type { PeerVersions } from '../../resources/collect/kinds.ts';
import { kindsAnswerSchema, paths } from '../messages.ts';
import { sourceLimits } from './source-services.ts';

export async function findPeerVersions(
  peer: Peer,
  operation: string,
  signal?: AbortSignal,
): Promise<PeerVersions | undefined> {
  const deadlineMs = sourceLimits.longAnswerMs;
  try {
    const path = paths.kinds(operation);
    const { kinds } = await peer.request({ method: 'GET', path, answer: kindsAnswerSchema, signal, deadlineMs });
    const byKind = Map.groupBy(kinds, ({ group, kind }) => `${group}/${kind}`);
    return new Map([...byKind].map(([kind, served]) => [kind, new Set(served.map(({ version }) => version))]));
  } catch (error) {
    if (error instanceof StorkError && error.code === 'UnknownRoute') return undefined;
    throw error;
  }
}
