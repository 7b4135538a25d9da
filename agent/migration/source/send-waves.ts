/**
 * Sends what a migration selects, and its requester may read, to the destination, wave after wave: to be applied, or to be
 * planned.
 */
import type { Migration } from '../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../kube/client/client.ts';
import { rfc3339 } from '../../../kube/runtime/conditions.ts';
import type { StageContext } from '../../../kube/runtime/machine.ts';
import type { Peer } from '../../peer/peer.ts';
import { maxWaveObjects } from '../messages.ts';
import { isClusterScoped } from './collect.ts';
import { findPeerVersions } from './peer-kinds.ts';
import { checkTravelling } from './requester/check-requester.ts';
import type { ResourceResult } from './resource-results.ts';
import type { Collected, SourceServices } from './source-services.ts';

/** Bytes of objects in one message; the link's cap is 4 MiB. */
const maxWaveBytes = 3 * 1024 * 1024;

export interface WaveBody {
  readonly migration: string;
  readonly time: string;
  /** Who asked, for audits on the destination. */
  readonly requester: string;
  readonly objects: readonly AnyObject[];
}

export interface SentWaves<Result> {
  readonly collected: Collected;
  /** What the requester may not read, and does not need to. */
  readonly leftOut: readonly ResourceResult[];
  readonly results: readonly Result[];
  /** What was sent, whatever came of it. */
  readonly sent: readonly AnyObject[];
  /** When the source began to look. */
  readonly since: string;
}

export async function sendWaves<Result>(
  services: SourceServices,
  { object: migration, signal }: StageContext<Migration>,
  to: {
    readonly peer: Peer;
    /** Cluster-scoped objects go over this one. */
    readonly admin: Peer;
    readonly namespaces: readonly string[];
    /** One result for each object, in their order. */
    send(body: WaveBody, collected: Collected, over: Peer): Promise<readonly Result[]>;
  },
): Promise<SentWaves<Result>> {
  const { peer, admin, namespaces } = to;
  const since = rfc3339(services.clock.now());
  const pairs = { pairId: peer.pairId, adminPairId: admin.pairId };
  const peerVersions = await findPeerVersions(peer, migration.metadata.uid ?? '', signal);
  const collected = await services.collect(migration, { namespaces, ...pairs, peerVersions }, signal);
  const { waves, requester, leftOut } = await checkTravelling(services, migration, collected.waves, signal);
  const results: Result[] = [];
  const name = `${migration.metadata.namespace}/${migration.metadata.name}`;
  for (const wave of waves) {
    for (const { over, objects } of byPair(wave, to)) {
      const body = { migration: name, time: rfc3339(services.clock.now()), requester, objects };
      results.push(...(await to.send(body, collected, over)));
    }
  }
  return { collected, leftOut, results, sent: waves.flat(), since };
}

/** The messages of a wave, each with the pair it goes over. */
function byPair(wave: readonly AnyObject[], { peer, admin }: { readonly peer: Peer; readonly admin: Peer }) {
  const parts = Map.groupBy(wave, (object) => (isClusterScoped(object) ? admin : peer));
  return [...parts].flatMap(([over, part]) => inMessages(part).map((objects) => ({ over, objects })));
}

/** Splits a wave so that each message stays under the link's caps. Pure. */
function inMessages(wave: readonly AnyObject[]): readonly (readonly AnyObject[])[] {
  const messages: AnyObject[][] = [];
  let bytes = 0;
  for (const object of wave) {
    const size = Buffer.byteLength(JSON.stringify(object));
    const last = messages.at(-1);
    if (last !== undefined && last.length < maxWaveObjects && bytes + size <= maxWaveBytes) {
      last.push(object);
      bytes += size;
      continue;
    }
    messages.push([object]);
    bytes = size;
  }
  return messages;
}
