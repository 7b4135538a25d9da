/** What a phase has dealt with so far, told after each piece; the agent's client sends no more than people can read. */
import type { MoverPhase } from './contract.ts';
import type { DestinationOptions } from './destination-run.ts';
import type { VolumeSize } from './job.ts';
import type { StagedVolume } from './run-state.ts';

export type CountProgress = (done: VolumeSize) => void;

/** Tells that the phase begins; what it answers counts on. */
export function beginPhase(
  { onProgress }: Pick<DestinationOptions, 'onProgress'>,
  phase: MoverPhase,
  of: { readonly total: VolumeSize; readonly bytesSent: number },
): CountProgress {
  const { total, bytesSent } = of;
  let files = 0;
  let bytes = 0;
  const count: CountProgress = (done) => {
    files += done.files;
    bytes += done.bytes;
    onProgress?.({ phase, files, filesTotal: total.files, bytes, bytesTotal: total.bytes, bytesSent });
  };
  count({ files: 0, bytes: 0 });
  return count;
}

export const sumSizes = (sizes: readonly VolumeSize[]): VolumeSize => ({
  files: sizes.reduce((sum, { files }) => sum + files, 0),
  bytes: sizes.reduce((sum, { bytes }) => sum + bytes, 0),
});

export const bytesSentOf = (volumes: readonly StagedVolume[]): number =>
  volumes.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
