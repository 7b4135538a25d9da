/**
 * `GET /v1/capacity`: the storage classes of the peer's cluster and what its storage says is free for them, where it says
 * anything (CSIStorageCapacity). Told only to a peer that may write there. An older peer has no such route: unknown.
 */
import { type Infer, list, object, required, string } from '../../crds/schema/index.ts';
import type { KubeClient } from '../../kube/client/client.ts';
import { core } from '../../kube/client/core.ts';
import type { Clock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import { parseBytes } from '../../kube/quantity.ts';
import type { Peer, PeerRoute } from './peer.ts';
import { jsonRoute } from './routes.ts';

const path = '/v1/capacity';
const maxClasses = 100;

const capacitySchema = object({
  classes: required(
    list(
      object({
        name: required(string({ minLength: 1, maxLength: 253, pattern: '^[a-z0-9.-]+$' })),
        /** Decimal bytes; absent: its storage doesn't say. */
        freeBytes: string({ pattern: '^[0-9]{1,20}$' }),
      }),
      { maxItems: maxClasses },
    ),
  ),
});
export type ClassCapacity = Infer<typeof capacitySchema>['classes'][number];

export type MeasureCapacity = (signal: AbortSignal) => Promise<readonly ClassCapacity[]>;

export function capacityRoute(measure: MeasureCapacity): PeerRoute {
  return jsonRoute({
    method: 'GET',
    path,
    answer: async ({ pair, signal }) => ({
      classes: pair.grant.directions.includes('Receive') ? await measure(signal) : [],
    }),
  });
}

/** `undefined` when the peer is of a version that doesn't say. */
export async function askCapacity(
  peer: Pick<Peer, 'request'>,
  signal: AbortSignal,
): Promise<readonly ClassCapacity[] | undefined> {
  try {
    return (await peer.request({ method: 'GET', path, answer: capacitySchema, signal })).classes;
  } catch (error) {
    if (error instanceof StorkError && error.code === 'UnknownRoute') return undefined;
    throw error;
  }
}

/** How old a measurement may be: several pairs ask once a minute each. */
const freshMs = 20_000;

/** What this cluster has, from its API server. */
export function createCapacityMeter(client: KubeClient, clock: Clock): MeasureCapacity {
  let last: { readonly atMs: number; readonly classes: readonly ClassCapacity[] } | undefined;
  return async (signal) => {
    if (last !== undefined && clock.monotonicMs() - last.atMs < freshMs) return last.classes;
    const names: string[] = [];
    for await (const { metadata } of client.list(core.storageClasses, { signal })) names.push(metadata.name);
    const said: SaidCapacity[] = [];
    for await (const { storageClassName, capacity } of client.list(core.csiStorageCapacities, { signal }))
      said.push({ storageClassName, capacity });
    last = { atMs: clock.monotonicMs(), classes: sumCapacity(names, said) };
    return last.classes;
  };
}

interface SaidCapacity {
  readonly storageClassName: string;
  readonly capacity?: string | undefined;
}

/** One row a class, by name. A driver says it per topology segment: what is free in all of them together. Pure. */
export function sumCapacity(names: readonly string[], said: readonly SaidCapacity[]): readonly ClassCapacity[] {
  const free = new Map<string, bigint>();
  for (const { storageClassName, capacity } of said) {
    if (capacity === undefined) continue;
    free.set(storageClassName, (free.get(storageClassName) ?? 0n) + parseBytes(capacity));
  }
  return [...names]
    .sort()
    .slice(0, maxClasses)
    .map((name) => ({ name, freeBytes: free.get(name)?.toString() }));
}
