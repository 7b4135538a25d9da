/**
 * For tests: zstd frames that are small and say much. Source of the layout: RFC 8878, 3.1.1 (frame header) and 3.1.1.2 (blocks).
 */
import { compress } from '../../format/compress.ts';
import { damageBytes, oneOf, type Pick } from './damage.ts';

const magic = Buffer.from('28b52ffd', 'hex');
const blockBytes = 128 * 1024;
const rleBlock = 1;

/** `sizeBytes` (about) of one byte, in four bytes for each 128 KiB. */
export function bomb(sizeBytes: number, byte: number): Buffer {
  const blocks = Math.max(1, Math.ceil(sizeBytes / blockBytes));
  const body = Buffer.alloc(blocks * 4);
  for (let block = 0; block < blocks; block++) {
    const isLast = block === blocks - 1 ? 1 : 0;
    body.writeUIntLE(isLast + (rleBlock << 1) + (blockBytes << 3), block * 4, 3);
    body[block * 4 + 3] = byte;
  }
  // No content size; a window of 128 KiB.
  return Buffer.concat([magic, Buffer.of(0, 7 << 3), body]);
}

/** A frame whose header promises what its content doesn't keep. */
function liar(pick: Pick): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(2n ** BigInt(pick(64)));
  // Descriptor: eight bytes of content size; the window's exponent may ask for terabytes.
  const header = Buffer.concat([magic, Buffer.of(3 << 6, pick(256)), size]);
  return Buffer.concat([header, Buffer.of(1, 0, 0)]);
}

export function hostileFrame(content: Buffer, pick: Pick): Buffer {
  const good = compress(content, 1);
  switch (pick(8)) {
    case 0:
      return bomb(blockBytes * 2 ** pick(13), oneOf(pick, 0x5b, 0x7b, 0x22, 0x20, 0x30, 0xff, 0));
    case 1:
    case 2:
      return liar(pick);
    case 3:
      return Buffer.concat(Array.from({ length: 1 + pick(50) }, () => good));
    case 4:
      return Buffer.concat([good, damageBytes(good, pick)]);
    default:
      return damageBytes(good, pick);
  }
}
