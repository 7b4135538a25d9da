/**
 * Writes tar archives that depend on nothing but their entries: no times, no owners, entries as given.
 * Yields pieces instead of one buffer, so that a 120 MB file is never copied.
 */
export type TarEntry =
  | {
      readonly type: 'file';
      readonly path: string;
      readonly mode: number;
      readonly content: Uint8Array | readonly Uint8Array[];
    }
  | { readonly type: 'folder'; readonly path: string; readonly mode: number }
  | { readonly type: 'link'; readonly path: string; readonly target: string };

const blockSize = 512;
const maxPathBytes = 100;

/** The archive as a sequence of pieces. Folders come in the order given, so parents have to precede their content. */
export function tarArchive(entries: readonly TarEntry[]): readonly Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (const entry of entries) {
    const content = contentOf(entry);
    const sizeBytes = sizeOf(content);
    pieces.push(header(entry, sizeBytes), ...content, Buffer.alloc((blockSize - (sizeBytes % blockSize)) % blockSize));
  }
  return [...pieces, Buffer.alloc(2 * blockSize)];
}

export const sizeOf = (pieces: readonly Uint8Array[]): number =>
  pieces.reduce((total, piece) => total + piece.length, 0);

function contentOf(entry: TarEntry): readonly Uint8Array[] {
  if (entry.type !== 'file') return [];
  return entry.content instanceof Uint8Array ? [entry.content] : entry.content;
}

function header(entry: TarEntry, sizeBytes: number): Buffer {
  const block = Buffer.alloc(blockSize);
  const path = entry.type === 'folder' ? `${entry.path}/` : entry.path;
  const target = entry.type === 'link' ? entry.target : '';
  if (Buffer.byteLength(path) > maxPathBytes || Buffer.byteLength(target) > maxPathBytes) {
    throw new RangeError(`tar: ${path} is longer than ${maxPathBytes} bytes`);
  }
  block.write(path, 0);
  block.write(octal(entry.type === 'link' ? 0o777 : entry.mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(sizeBytes, 11), 124);
  block.write(octal(0, 11), 136);
  block.write('        ', 148);
  block.write({ file: '0', link: '2', folder: '5' }[entry.type], 156);
  block.write(target, 157);
  block.write('ustar\0', 257);
  block.write('00', 263);
  const checksum = block.reduce((sum, byte) => sum + byte, 0);
  block.write(`${octal(checksum, 6)}\0 `, 148);
  return block;
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');
