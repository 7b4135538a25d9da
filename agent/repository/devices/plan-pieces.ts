/** What a segment's blobs ask for: runs of zeros, which nobody needs to fetch, and parts with content. Pure. */
import { idOf } from '../format/object-id.ts';
import type { Piece } from '../restore/restore-job.ts';
import { blockBytes } from './device-layout.ts';

export type DeviceWork =
  | { readonly is: 'zeros'; readonly offset: number; readonly length: number }
  | { readonly is: 'content'; readonly offset: number; readonly length: number; readonly pieces: readonly Piece[] };

/** A part of either kind: bounds memory, and how long a thread is away. */
const contentBytes = 4 * 1024 * 1024;
const zerosBytes = 64 * 1024 * 1024;

export const zeroBlockId: string = idOf(Buffer.alloc(blockBytes));

const isZeros = ({ id, length }: Piece): boolean => length === blockBytes && id === zeroBlockId;

/** @param offset where the first piece lies; the works follow one another without gaps */
export function* planPieces(pieces: readonly Piece[], offset: number): Generator<DeviceWork> {
  let run: Piece[] = [];
  let length = 0;
  let at = offset;
  const close = function* (): Generator<DeviceWork> {
    const [first] = run;
    if (first === undefined) return;
    yield isZeros(first) ? { is: 'zeros', offset: at, length } : { is: 'content', offset: at, length, pieces: run };
    at += length;
    run = [];
    length = 0;
  };
  for (const piece of pieces) {
    const [first] = run;
    const limit = isZeros(piece) ? zerosBytes : contentBytes;
    if (first !== undefined && (isZeros(first) !== isZeros(piece) || length >= limit)) yield* close();
    run.push(piece);
    length += piece.length;
  }
  yield* close();
}
