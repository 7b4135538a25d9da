/** What garbage collection marks, copies together and deletes. Pure: no store, no clock. */

export interface PackUsage {
  readonly id: string;
  readonly sizeBytes: number;
  /** Blobs that some restore point needs and that would be read from this pack. */
  readonly usedBlobs: number;
  /** Of these, sealed. */
  readonly usedBytes: number;
}

export interface MarkLimits {
  /** Share of the used bytes that may lie unused beside them in packs that are in use: copying costs more than it frees. */
  readonly unusedShare: number;
  /** Bytes that are copied in one run at most. */
  readonly repackBytes: number;
}

export interface MarkPlan {
  /** Nothing of them is needed. */
  readonly unused: readonly PackUsage[];
  /** Their used blobs are copied into new packs, then they are marked too. Most waste first. */
  readonly repack: readonly PackUsage[];
}

/** @param packs all that are in the store, those that no index names included */
export function planMark(packs: readonly PackUsage[], marked: ReadonlySet<string>, limits: MarkLimits): MarkPlan {
  const free = packs.filter(({ id }) => !marked.has(id));
  const unused = free.filter(({ usedBlobs }) => usedBlobs === 0);
  const partly = free
    .filter(({ usedBlobs }) => usedBlobs > 0)
    .toSorted((left, right) => wasteOf(right) - wasteOf(left));
  const allowed = limits.unusedShare * partly.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
  let wasted = partly.reduce((sum, pack) => sum + unusedBytesOf(pack), 0);
  let copied = 0;
  const repack: PackUsage[] = [];
  for (const pack of partly) {
    if (wasted <= allowed || unusedBytesOf(pack) <= 0) break;
    if (copied + pack.usedBytes > limits.repackBytes) continue;
    copied += pack.usedBytes;
    wasted -= unusedBytesOf(pack);
    repack.push(pack);
  }
  return { unused, repack };
}

/** Headers are no waste: a small pack that is all used stays. */
const headerShare = 0.02;
const headerBytes = 4096;

function unusedBytesOf({ sizeBytes, usedBytes }: PackUsage): number {
  const rest = sizeBytes - usedBytes;
  return rest <= headerBytes || rest <= headerShare * sizeBytes ? 0 : rest;
}

const wasteOf = (pack: PackUsage): number => unusedBytesOf(pack) / pack.sizeBytes;

export interface DeletionPlan {
  readonly remove: readonly PackUsage[];
  /** In use again since they were marked: by stock restic, which knows no marks. */
  readonly rescued: readonly PackUsage[];
}

/** @param ripe packs of marks whose wait is over; only they are ever deleted */
export function planDeletion(packs: readonly PackUsage[], ripe: ReadonlySet<string>): DeletionPlan {
  const marked = packs.filter(({ id }) => ripe.has(id));
  return {
    remove: marked.filter(({ usedBlobs }) => usedBlobs === 0),
    rescued: marked.filter(({ usedBlobs }) => usedBlobs > 0),
  };
}

export interface WaitingMark {
  readonly time: Date;
  readonly holders: readonly string[] | undefined;
}

/**
 * Whether a mark's packs may be looked at for deletion: it is old enough, and everybody who worked when it appeared has ended.
 * @param living holders of the locks that count now
 */
export function isRipe(
  { time, holders }: WaitingMark,
  now: Date,
  minWaitMs: number,
  living: ReadonlySet<string>,
): boolean {
  const hasWaited = now.getTime() - time.getTime() >= minWaitMs;
  return hasWaited && holders !== undefined && !holders.some((holder) => living.has(holder));
}
