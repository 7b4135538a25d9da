/** Reads back the signature that macho-signature.ts writes, from the format's description and not from the writer. */
export interface AdhocSignature {
  readonly identifier: string;
  readonly flags: number;
  /** Bytes of the file that are signed; the signature follows. */
  readonly codeLimit: number;
  readonly sizeBytes: number;
  /** SHA-256 of each 4 KiB page, in hex. */
  readonly pageDigests: readonly string[];
}

/** @throws RangeError when the file is not a signed thin Mach-O */
export function readAdhocSignature(file: Buffer): AdhocSignature {
  const command = findSignatureCommand(file);
  const offset = file.readUInt32LE(command + 8);
  const blob = file.subarray(offset, offset + file.readUInt32LE(command + 12));
  expect(blob.readUInt32BE(0), 0xfade0cc0, 'SuperBlob');
  expect(blob.readUInt32BE(12), 0, 'the first slot to be the CodeDirectory');
  const directory = blob.subarray(blob.readUInt32BE(16));
  expect(directory.readUInt32BE(0), 0xfade0c02, 'CodeDirectory');
  expect(directory.readUInt32BE(32), offset, 'everything before the signature to be signed');
  const digestsAt = directory.readUInt32BE(16);
  const identifierAt = directory.readUInt32BE(20);
  return {
    identifier: directory.toString('latin1', identifierAt, directory.indexOf(0, identifierAt)),
    flags: directory.readUInt32BE(12),
    codeLimit: offset,
    sizeBytes: blob.length,
    pageDigests: Array.from({ length: directory.readUInt32BE(28) }, (_, page) =>
      directory.toString('hex', digestsAt + page * 32, digestsAt + (page + 1) * 32),
    ),
  };
}

function findSignatureCommand(file: Buffer): number {
  expect(file.readUInt32LE(0), 0xfeedfacf, 'a thin 64-bit Mach-O');
  let at = 32;
  for (let left = file.readUInt32LE(16); left > 0; left--) {
    if (file.readUInt32LE(at) === 0x1d) return at;
    at += file.readUInt32LE(at + 4);
  }
  throw new RangeError('the file is not signed');
}

function expect(found: number, wanted: number, what: string): void {
  if (found !== wanted) throw new RangeError(`expected ${what} (${wanted.toString(16)}), found ${found.toString(16)}`);
}
