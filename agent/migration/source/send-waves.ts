/**
 * Sends what a migration selects, and its requester may read, to the destination, wave after wave: to be applied, or to be
 * planned.
 */
import type { Migration } from '../../../crds/v1alpha1/index.ts';
import type { AnyObject } from '../../../kube/client/client.ts';
import { rfc3339 } from '../../../kube/runtime/conditions.ts';
import type { StageContext } from '../../../kube/runtime/machine.ts';
import type { Peer } from '../../peer/peer.ts';
import { refOf } from '../../resources/resource-ref.ts';
import { isStash, readStash } from '../../resources/stash/stash-object.ts';
import { maxWaveObjects, stashFeature } from '../messages.ts';
import { isClusterScoped } from './collect.ts';
import { findPeerAbilities } from './peer-kinds.ts';
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
  const { versions: peerVersions, features } = await findPeerAbilities(peer, migration.metadata.uid ?? '', signal);
  const collected = await services.collect(migration, { namespaces, ...pairs, peerVersions }, signal);
  const travelling = await checkTravelling(services, migration, collected.waves, signal);
  const { requester } = travelling;
  const { waves, refused } = withoutStashes(travelling.waves, { cluster: peer.cluster, features });
  const leftOut = [...travelling.leftOut, ...refused];
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

/**
 * An older agent would store a stash as any ConfigMap and never make anything of it, while the object itself would start
 * there at once: neither is sent. Pure.
 */
export function withoutStashes(
  waves: readonly (readonly AnyObject[])[],
  peer: { readonly cluster: string; readonly features: ReadonlySet<string> },
): { readonly waves: readonly (readonly AnyObject[])[]; readonly refused: readonly ResourceResult[] } {
  if (peer.features.has(stashFeature)) return { waves, refused: [] };
  const refused = waves.flat().flatMap((object): readonly ResourceResult[] => {
    if (!isStash(object)) return [];
    const { namespace = '', ...ref } = refOf(readStash(object) ?? object);
    const reason = `its registration stashes it until it is activated, which the agent of ${peer.cluster} is too old for: it was not sent. Update that agent (kubectl stork install), or migrate with startApplications`;
    return [{ ...ref, namespace, status: 'Failed', reason }];
  });
  return { waves: waves.map((wave) => wave.filter((object) => !isStash(object))), refused };
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
