/** A raw device of a restore point as a stream: its whole image, proven byte for byte. */
import { dumpFile } from '../restore/dump.ts';
import type { SnapshotTools } from '../restore/snapshot-trees.ts';
import { blockBytes } from './device-layout.ts';
import { planPieces } from './plan-pieces.ts';
import { piecesOf, type StoredDevice } from './stored-device.ts';

/** @throws `RepositoryDamaged`, `ObjectMissing`, … before any wrong byte is given */
export async function* dumpDevice(device: StoredDevice, tools: SnapshotTools): AsyncGenerator<Buffer> {
  const { repository, locations, trees, signal } = tools;
  const zeros = Buffer.alloc(blockBytes);
  for (const segment of device.segments)
    for (const work of planPieces(await piecesOf(segment, trees), segment.offset)) {
      if (work.is === 'content')
        yield* dumpFile(repository, locations, { content: work.pieces.map(({ id }) => id) }, signal);
      else for (let done = 0; done < work.length; done += zeros.length) yield zeros;
    }
}
