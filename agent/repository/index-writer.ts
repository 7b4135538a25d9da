/** Gathers what packs hold into index objects. */
import type { Clock } from '../../kube/clock.ts';
import type { PackToIndex } from './format/index-file.ts';

export interface IndexWriter {
  /** The packs are stored already. Writes an index object when it is time for one. */
  add(pack: PackToIndex): Promise<void>;
  /** Writes what no index object names yet. */
  finish(): Promise<void>;
}

export interface IndexPace {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** How long stored packs may go without being in an index: what a killed writer stored and no index names is stored again. */
  readonly everyMs: number;
}

export const indexEveryMs = 60_000;
/** Blobs that an index object names at most: parsing it must not need much memory. */
const blobsPerIndex = 40_000;

/**
 * @param put stores one index object
 * @param pace without it an index is written only when it is full
 */
export function indexWriter(put: (packs: readonly PackToIndex[]) => Promise<unknown>, pace?: IndexPace): IndexWriter {
  let packs: PackToIndex[] = [];
  let blobs = 0;
  let writtenMs = pace?.clock.monotonicMs() ?? 0;
  const finish = async () => {
    const some = packs;
    packs = [];
    blobs = 0;
    writtenMs = pace?.clock.monotonicMs() ?? 0;
    if (some.length > 0) await put(some);
  };
  const isDue = () =>
    blobs >= blobsPerIndex || (pace !== undefined && pace.clock.monotonicMs() - writtenMs >= pace.everyMs);
  return {
    async add(pack) {
      packs.push(pack);
      blobs += pack.blobs.length;
      if (isDue()) await finish();
    },
    finish,
  };
}
