/**
 * A write job as it travels to a thread: columns of numbers and joined texts. As objects, one for each file, piece and blob, handing jobs
 * over would cost the main thread as much as reading the trees.
 */
import { idCharacters } from '../format/object-id.ts';
import type { FetchedBlob, WriteItem, WriteJob } from './restore-job.ts';

export interface PackedWrite extends Pick<WriteJob, 'buffers' | 'wholeTrees'> {
  readonly do: 'packed write';
  /** `fileColumns` for each file. */
  readonly files: Float64Array;
  /** With `/` between them, which no name has in it. */
  readonly names: string;
  readonly mtimesNs: readonly bigint[];
  /** Of files that have some, by their number. */
  readonly xattrs: readonly (readonly [number, WriteItem['node']['xattrs']])[];
  /** `pieceColumns` for each piece of all files. */
  readonly pieces: Float64Array;
  /** `blobColumns` for each blob. */
  readonly blobs: Float64Array;
  readonly ids: string;
  readonly packs: readonly string[];
}

const [fileColumns, pieceColumns, blobColumns] = [10, 2, 6];
/** Where there is no such thing. */
const none = -1;

export function packWrite({ items, blobs, buffers, wholeTrees }: WriteJob): PackedWrite {
  const files = new Float64Array(items.length * fileColumns);
  const pieces = new Float64Array(items.reduce((sum, item) => sum + item.pieces.length, 0) * pieceColumns);
  const xattrs: [number, WriteItem['node']['xattrs']][] = [];
  let [fileAt, pieceAt] = [0, 0];
  for (const [number, { directory, node, fd = none, offset, isNew, pieces: own, blobs: ofPieces }] of items.entries()) {
    const { mode, uid, gid, links, size } = node;
    if (node.xattrs.length > 0) xattrs.push([number, node.xattrs]);
    files[fileAt++] = directory;
    files[fileAt++] = fd;
    files[fileAt++] = offset;
    files[fileAt++] = Number(isNew);
    files[fileAt++] = mode;
    files[fileAt++] = uid;
    files[fileAt++] = gid;
    files[fileAt++] = links;
    files[fileAt++] = size;
    files[fileAt++] = own.length;
    for (const [at, { length }] of own.entries()) {
      pieces[pieceAt++] = length;
      pieces[pieceAt++] = ofPieces[at] ?? none;
    }
  }
  return {
    ...{ do: 'packed write', buffers, wholeTrees, files, pieces, xattrs },
    names: items.map(({ node }) => node.name).join('/'),
    mtimesNs: items.map(({ node }) => node.mtimeNs),
    ...packBlobs(blobs),
  };
}

function packBlobs(blobs: readonly FetchedBlob[]): Pick<PackedWrite, 'blobs' | 'ids' | 'packs'> {
  const columns = new Float64Array(blobs.length * blobColumns);
  const packs = new Map<string, number>();
  let at = 0;
  for (const { pack, offset, length, uncompressedLength = none, from } of blobs) {
    const number = packs.get(pack) ?? packs.size;
    packs.set(pack, number);
    columns[at++] = number;
    columns[at++] = offset;
    columns[at++] = length;
    columns[at++] = uncompressedLength;
    columns[at++] = from?.buffer ?? none;
    columns[at++] = from?.offset ?? none;
  }
  return { blobs: columns, ids: blobs.map(({ id }) => id).join(''), packs: [...packs.keys()] };
}

export function unpackWrite(packed: PackedWrite): WriteJob {
  const { buffers, wholeTrees, files, pieces, mtimesNs } = packed;
  const names = mtimesNs.length === 0 ? [] : packed.names.split('/');
  // Else contents would go to other files.
  if (names.length !== mtimesNs.length) throw new Error('a job came with other names than files');
  const xattrs = new Map(packed.xattrs);
  let [fileAt, pieceAt] = [0, 0];
  const nextOf = () => files[fileAt++] ?? none;
  const items = names.map((name, number): WriteItem => {
    const [directory, fd, offset, isNew] = [nextOf(), nextOf(), nextOf(), nextOf() === 1];
    const [mode, uid, gid, links, size] = [nextOf(), nextOf(), nextOf(), nextOf(), nextOf()];
    const lengths: { length: number }[] = [];
    const blobs: (number | undefined)[] = [];
    for (let left = nextOf(); left > 0; left--) {
      lengths.push({ length: pieces[pieceAt++] ?? 0 });
      blobs.push(known(pieces[pieceAt++]));
    }
    const mtimeNs = mtimesNs[number] ?? 0n;
    const node = { name, mode, uid, gid, links, size, mtimeNs, xattrs: xattrs.get(number) ?? [] };
    return { directory, fd: known(fd), offset, isNew, node, pieces: lengths, blobs };
  });
  return { do: 'write', items, blobs: unpackBlobs(packed), buffers, wholeTrees };
}

function unpackBlobs({ blobs, ids, packs }: PackedWrite): readonly FetchedBlob[] {
  return Array.from({ length: blobs.length / blobColumns }, (_, number) => {
    const at = number * blobColumns;
    const [buffer, offset] = [known(blobs[at + 4]), known(blobs[at + 5])];
    return {
      id: ids.slice(number * idCharacters, (number + 1) * idCharacters),
      type: 'data',
      pack: packs[blobs[at] ?? 0] ?? '',
      offset: blobs[at + 1] ?? 0,
      length: blobs[at + 2] ?? 0,
      uncompressedLength: known(blobs[at + 3]),
      from: buffer === undefined || offset === undefined ? undefined : { buffer, offset },
    };
  });
}

const known = (value: number | undefined): number | undefined => (value === none ? undefined : value);
