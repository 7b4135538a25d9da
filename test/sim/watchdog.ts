/**
 * What must hold at every instant, whoever has been killed: a destination claim holds a complete point, or is on its way to
 * one with all it needs beside it; one writer a volume; the source only read; claims stay bound to the volume they had.
 */
import { core } from '../../kube/client/core.ts';
import { isIncoming } from './mover.ts';
import { type ClaimKey, generation, type Prepared } from './scenarios.ts';
import type { MoverWrite } from './side.ts';
import type { Simulation } from './simulation.ts';

export interface Watchdog {
  /** A generation was written by the application on the source, to all claims at once. */
  wrote(content: string): void;
  /** Somebody took the destination claims away on purpose. */
  excuseLostClaims(): void;
  look(): Promise<void>;
  /** Everything that a volume may hold in the end. */
  readonly points: ReadonlySet<string>;
}

export function createWatchdog(sim: Simulation, prepared: Prepared): Watchdog {
  const points = new Set(['first', 'old', 'theirs'].map(generation));
  const volumes = new Map<string, string>();
  const told = new Set<string>();
  let areClaimsMissed = true;
  const tell = (what: string) => {
    if (told.has(what)) return;
    told.add(what);
    sim.trace(`!!!!!!!! ${what}`);
    sim.violations.push(what);
  };
  sim.onMoverWrite = (write) => {
    for (const problem of [foreignSide(write), secondMover(sim, write), userOf(sim, write)])
      if (problem !== undefined) tell(problem);
  };
  const lookAt = async (claim: ClaimKey): Promise<void> => {
    const id = `${claim.namespace}/${claim.name}`;
    const found = await sim.b.cluster.client.find(core.persistentVolumeClaims, claim);
    const volume = found?.spec?.volumeName;
    const before = volumes.get(id);
    if (before !== undefined && areClaimsMissed && volume !== before)
      tell(`ClaimLost: ${id} on the destination was bound to ${before}, now to ${volume}`);
    if (volume === undefined || found?.status?.phase !== 'Bound') return;
    volumes.set(id, volume);
    const content = sim.b.cluster.world.storage.volumes.get(volume)?.content;
    if (content === undefined || points.has(content) || content === '') return;
    if (isIncoming(content)) return tell(`HalfApplied: ${id} was handed over while its volume was being filled`);
    if (!canBeRedone(sim, claim, points) && !canBeUndone(sim, volume, points))
      tell(`NotActivatable: ${id} holds ${content}, and neither staging nor a snapshot has a whole point`);
  };
  return {
    points,
    wrote: (content) => void points.add(content),
    excuseLostClaims() {
      areClaimsMissed = false;
    },
    async look() {
      for (const claim of prepared.claims) await lookAt(claim);
    },
  };
}

const foreignSide = ({ side, namespace, claim }: MoverWrite): string | undefined =>
  side === 'a' ? `SourceWritten: a mover wrote to ${namespace}/${claim} on the source` : undefined;

function secondMover(sim: Simulation, { side, volume, pod }: MoverWrite): string | undefined {
  const { cluster, nodes } = sim[side];
  const other = nodes
    .movers()
    .find(
      (mover) =>
        mover.pod.metadata.name !== pod &&
        mover.order.volumes.some(
          ({ claim }) => cluster.world.volumeOf(mover.pod.metadata.namespace ?? '', claim) === volume,
        ),
    );
  if (other === undefined) return undefined;
  return `TwoWriters: movers ${pod} and ${other.pod.metadata.name} hold one volume`;
}

function userOf(sim: Simulation, { side, namespace, claim }: MoverWrite): string | undefined {
  const [user] = sim[side].nodes.usersOf(namespace, claim);
  if (user === undefined) return undefined;
  return `TwoWriters: pod ${user.metadata.name} uses ${namespace}/${claim} while a mover writes to it`;
}

/** Everything of the run is staged where a new container of the mover's pod finds it. */
function canBeRedone(sim: Simulation, claim: ClaimKey, points: ReadonlySet<string>): boolean {
  return sim.b.nodes
    .stagings()
    .some(
      ({ staging, claims }) =>
        claims.includes(claim.name) &&
        (staging.state === 'Applying' || staging.state === 'Done') &&
        [...staging.content.values()].every((content) => points.has(content)),
    );
}

function canBeUndone(sim: Simulation, volume: string, points: ReadonlySet<string>): boolean {
  return [...sim.b.cluster.world.storage.snapshots.values()].some(
    (snapshot) => snapshot.volume === volume && snapshot.phase !== 'Pending' && points.has(snapshot.content),
  );
}
