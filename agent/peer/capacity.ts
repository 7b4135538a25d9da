/**
 * `GET /v1/capacity`: the storage classes of the peer's cluster and what its storage says is free for them, where it says
 * anything (CSIStorageCapacity). Told only to a peer that may write there. An older peer has no such route: unknown.
 */
import { type Infer, list, object, required, string } from '../../crds/schema/index.ts';
import { type CSIStorageCapacity, core, type StorageClass } from '../../kube/client/core.ts';
import type { Clock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import { parseBytes } from '../../kube/quantity.ts';
import type { InformerDefinition } from '../../kube/runtime/informer.ts';
import type { InformerSet } from '../../kube/runtime/informer-set.ts';
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

/** A cluster that serves no CSIStorageCapacity never tells of any: its classes are named without. */
const waitForSaidMs = 2_000;

/** What this cluster has, as its API server tells by itself: watched from the first question on. */
export function createCapacityMeter(informers: InformerSet, clock: Clock): MeasureCapacity {
  return async (signal) => {
    const classes = informers.informer(storageClassNames);
    const capacities = informers.informer(saidCapacities);
    await classes.synced(signal);
    using late = abortAfter(clock, waitForSaidMs);
    await capacities.synced(AbortSignal.any([signal, late.signal])).catch(() => signal.throwIfAborted());
    const names = [...classes.entries()].map(([, name]) => name);
    const said = [...capacities.entries()].map(([, one]) => one);
    return sumCapacity(names, said);
  };
}

function abortAfter(clock: Clock, ms: number): Disposable & { readonly signal: AbortSignal } {
  const stop = new AbortController();
  const timer = clock.after(ms, () => stop.abort());
  return { signal: stop.signal, [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

const storageClassNames: InformerDefinition<StorageClass, string> = {
  resource: core.storageClasses,
  project: ({ metadata }) => metadata.name,
};

const saidCapacities: InformerDefinition<CSIStorageCapacity, SaidCapacity> = {
  resource: core.csiStorageCapacities,
  project: ({ storageClassName, capacity }) => ({ storageClassName, capacity }),
};

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
