/** Gathers what packs hold into index objects. */
import type { Clock } from '../../kube/clock.ts';
import type { PackToIndex } from './format/index-file.ts';

export interface IndexWriter {
  /** The pack is stored already, in so many bytes. Writes an index object when it is time for one. */
  add(pack: PackToIndex, sizeBytes?: number): Promise<void>;
  /** Writes what no index object names yet. */
  finish(): Promise<void>;
}

export interface IndexPace {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /**
   * How long stored packs may go without being in an index: what a killed writer stored and no index names is stored again. A fast store
   * gets more in that time than anybody wants to send twice: {@link unnamedBytes} bounds that.
   */
  readonly everyMs: number;
}

export const indexEveryMs = 60_000;
/** Blobs that an index object names at most: parsing it must not need much memory. */
const blobsPerIndex = 40_000;

/** What may be stored and in no index: a part of what this writer stored by then, so that indexes stay few however much it is. */
export const unnamedBytes = (storedBytes: number): number => Math.max(256 * 1024 * 1024, storedBytes / 8);

/**
 * @param put stores one index object
 * @param pace without it an index is written only when it is full
 */
export function indexWriter(put: (packs: readonly PackToIndex[]) => Promise<unknown>, pace?: IndexPace): IndexWriter {
  let packs: PackToIndex[] = [];
  let blobs = 0;
  let [storedBytes, namedBytes] = [0, 0];
  let writtenMs = pace?.clock.monotonicMs() ?? 0;
  const finish = async () => {
    const some = packs;
    packs = [];
    blobs = 0;
    namedBytes = storedBytes;
    writtenMs = pace?.clock.monotonicMs() ?? 0;
    if (some.length > 0) await put(some);
  };
  const isDue = () => {
    if (blobs >= blobsPerIndex) return true;
    if (pace === undefined) return false;
    return (
      storedBytes - namedBytes >= unnamedBytes(storedBytes) || pace.clock.monotonicMs() - writtenMs >= pace.everyMs
    );
  };
  return {
    async add(pack, sizeBytes = 0) {
      packs.push(pack);
      storedBytes += sizeBytes;
      blobs += pack.blobs.length;
      if (isDue()) await finish();
    },
    finish,
  };
}
