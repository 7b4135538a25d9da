/**
 * How well a connected pair is, beyond being connected: clocks, versions, and the room its peer has. None of it stops a
 * migration, so it is a condition of its own. Pure.
 */
import type { ClusterPairStatus } from '../../crds/v1alpha1/index.ts';
import type { ClassCapacity } from '../peer/capacity.ts';

export interface HealthFacts {
  readonly ownVersion: string;
  readonly peerVersion: string;
  /** The peer's clock minus ours. */
  readonly clockSkewMs: number | undefined;
}

export interface HealthVerdict {
  readonly status: 'True' | 'False';
  readonly reason: 'Healthy' | 'ClockSkew' | 'VersionSkew';
  readonly message: string;
}

/** Codes expire and times in both clusters' objects are compared by people: half a minute is too much. */
const tolerableSkewMs = 30_000;

export function describeHealth({ ownVersion, peerVersion, clockSkewMs = 0 }: HealthFacts): HealthVerdict {
  if (Math.abs(clockSkewMs) > tolerableSkewMs) {
    const way = clockSkewMs > 0 ? 'ahead of' : 'behind';
    const seconds = Math.round(Math.abs(clockSkewMs) / 1000);
    const message = `The peer's clock is ${seconds} s ${way} ours: check time synchronisation (NTP) on the nodes of both clusters.`;
    return { status: 'False', reason: 'ClockSkew', message };
  }
  if (versionsApart(ownVersion, peerVersion) > 1) {
    const message = `The agents' versions are more than one apart: ${ownVersion} here, ${peerVersion} there. Update the older one.`;
    return { status: 'False', reason: 'VersionSkew', message };
  }
  return { status: 'True', reason: 'Healthy', message: 'Clocks and versions agree.' };
}

/** Minor versions between two agents; versions we can't read count as the same. */
function versionsApart(one: string, other: string): number {
  const [a, b] = [one, other].map((version) => /^v?(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number));
  if (a === undefined || b === undefined) return 0;
  if (a[0] !== b[0]) return Number.POSITIVE_INFINITY;
  return Math.abs((a[1] ?? 0) - (b[1] ?? 0));
}

type Peer = NonNullable<ClusterPairStatus['peer']>;

/** A free size is told anew when it moved by more than this share. */
const notableShare = 0.1;
const shownClasses = 8;

/** What status shows of the peer's storage; a size that moved little stays as it was told. */
export function describeCapacity(
  before: Peer | undefined,
  told: readonly ClassCapacity[] | undefined,
): Pick<Peer, 'storageClasses' | 'capacity'> {
  if (told === undefined)
    return before?.storageClasses === undefined
      ? {}
      : { storageClasses: before.storageClasses, capacity: before.capacity };
  const storageClasses = told.map(({ name, freeBytes }) => {
    if (freeBytes === undefined) return { name };
    const former = before?.storageClasses?.find((one) => one.name === name)?.freeBytes;
    return { name, freeBytes: former !== undefined && isNear(Number(former), Number(freeBytes)) ? former : freeBytes };
  });
  const shown = storageClasses
    .slice(0, shownClasses)
    .map(({ name, freeBytes }) => `${name} ${freeBytes === undefined ? 'unknown' : inGibibytes(Number(freeBytes))}`);
  const more = storageClasses.length - shown.length;
  return { storageClasses, capacity: [...shown, ...(more > 0 ? [`${more} more`] : [])].join(', ') };
}

const isNear = (former: number, current: number) => Math.abs(current - former) <= notableShare * former;

const inGibibytes = (bytes: number) => `${Number((bytes / 1024 ** 3).toPrecision(3))}Gi`;
