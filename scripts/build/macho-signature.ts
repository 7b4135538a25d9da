/**
 * Gives a Mach-O file made on linux the ad-hoc signature without which macOS on arm64 kills it: no identity, only the
 * digests of the file's pages (Apple's embedded signature format: SuperBlob, CodeDirectory 0x20400, empty requirements).
 * Pure: bytes in, bytes out. Checked structurally here; never run on a Mac by us.
 */
import { createHash } from 'node:crypto';
import { StorkError } from '../../kube/errors.ts';

const LC_SEGMENT_64 = 0x19;
const LC_CODE_SIGNATURE = 0x1d;
const CPU_ARM64 = 0x0100000c;
const headerSize = 32;
const pageSize = 4096;
const hashSize = 32;
const codeDirectorySize = 88;
/** Special slots: -1 Info.plist (none, zeroes), -2 requirements. */
const specialSlots = 2;
const emptyRequirements = Buffer.from('fade0c010000000c00000000', 'hex');

interface Layout {
  readonly commandCount: number;
  readonly commandsEnd: number;
  readonly armed: boolean;
  /** File offsets of load commands. */
  readonly signatureAt: number | undefined;
  readonly linkeditAt: number;
  readonly textOffset: bigint;
  readonly textSize: bigint;
  /** File offset of the first section's content: load commands may grow up to here. */
  readonly firstSection: number;
}

/**
 * The file with a fresh ad-hoc signature in place of any it had.
 * @param identifier what the signature calls the program
 * @throws UnexpectedExecutable for anything but a thin 64-bit Mach-O with room for the load command
 */
export function adhocSign(file: Buffer, identifier: string): Buffer {
  const layout = readLayout(file);
  if (layout.signatureAt === undefined && layout.commandsEnd + 16 > layout.firstSection) {
    throw unexpected('there is no room for the signature command');
  }
  const codeLimit =
    layout.signatureAt === undefined ? (file.length + 15) & ~15 : file.readUInt32LE(layout.signatureAt + 8);
  const identifierBytes = Buffer.from(`${identifier}\0`);
  const size = signatureSize(codeLimit, identifierBytes.length);
  const signed = Buffer.alloc(codeLimit + size);
  file.copy(signed, 0, 0, Math.min(codeLimit, file.length));
  writeCommands(signed, layout, codeLimit, size);
  writeSignature(signed.subarray(codeLimit), signed.subarray(0, codeLimit), layout, identifierBytes);
  return signed;
}

function readLayout(file: Buffer): Layout {
  if (file.length < headerSize || file.readUInt32LE(0) !== 0xfeedfacf)
    throw unexpected('it is no thin 64-bit Mach-O file');
  const commandCount = file.readUInt32LE(16);
  let signatureAt: number | undefined;
  let linkeditAt: number | undefined;
  let text = { offset: 0n, size: 0n, firstSection: Number.POSITIVE_INFINITY };
  let at = headerSize;
  for (let index = 0; index < commandCount; index++) {
    const command = file.readUInt32LE(at);
    const name = command === LC_SEGMENT_64 ? file.toString('latin1', at + 8, at + 24).replace(/\0.*$/s, '') : '';
    if (command === LC_CODE_SIGNATURE) signatureAt = at;
    if (name === '__LINKEDIT') linkeditAt = at;
    if (name === '__TEXT') text = readText(file, at);
    at += file.readUInt32LE(at + 4);
  }
  if (linkeditAt === undefined) throw unexpected('it has no __LINKEDIT segment');
  return {
    commandCount,
    commandsEnd: at,
    armed: file.readUInt32LE(4) === CPU_ARM64,
    signatureAt,
    linkeditAt,
    textOffset: text.offset,
    textSize: text.size,
    firstSection: text.firstSection,
  };
}

function readText(file: Buffer, at: number): { offset: bigint; size: bigint; firstSection: number } {
  const sections = Array.from({ length: file.readUInt32LE(at + 64) }, (_, index) =>
    file.readUInt32LE(at + 72 + index * 80 + 48),
  );
  return {
    offset: file.readBigUInt64LE(at + 40),
    size: file.readBigUInt64LE(at + 48),
    firstSection: Math.min(Number.POSITIVE_INFINITY, ...sections.filter((offset) => offset > 0)),
  };
}

const superBlobHeader = 12 + 2 * 8;

function codeDirectoryLength(codeLimit: number, identifierLength: number): number {
  return codeDirectorySize + identifierLength + (specialSlots + Math.ceil(codeLimit / pageSize)) * hashSize;
}

function signatureSize(codeLimit: number, identifierLength: number): number {
  return (superBlobHeader + codeDirectoryLength(codeLimit, identifierLength) + emptyRequirements.length + 15) & ~15;
}

/** Points LC_CODE_SIGNATURE (added when missing) at the signature and grows __LINKEDIT over it. */
function writeCommands(signed: Buffer, layout: Layout, codeLimit: number, size: number): void {
  const at = layout.signatureAt ?? layout.commandsEnd;
  if (layout.signatureAt === undefined) {
    signed.writeUInt32LE(LC_CODE_SIGNATURE, at);
    signed.writeUInt32LE(16, at + 4);
    signed.writeUInt32LE(layout.commandCount + 1, 16);
    signed.writeUInt32LE(signed.readUInt32LE(20) + 16, 20);
  }
  signed.writeUInt32LE(codeLimit, at + 8);
  signed.writeUInt32LE(size, at + 12);
  const linkeditSize = codeLimit + size - Number(signed.readBigUInt64LE(layout.linkeditAt + 40));
  const memoryPage = layout.armed ? 16384 : 4096;
  signed.writeBigUInt64LE(BigInt(Math.ceil(linkeditSize / memoryPage) * memoryPage), layout.linkeditAt + 32);
  signed.writeBigUInt64LE(BigInt(linkeditSize), layout.linkeditAt + 48);
}

function writeSignature(signature: Buffer, code: Buffer, layout: Layout, identifier: Buffer): void {
  const directoryLength = codeDirectoryLength(code.length, identifier.length);
  const requirementsAt = superBlobHeader + directoryLength;
  // SuperBlob: magic, length, count, then (slot type, offset) of each blob: 0 = CodeDirectory, 2 = requirements
  writeWords(signature, [
    0xfade0cc0,
    requirementsAt + emptyRequirements.length,
    2,
    0,
    superBlobHeader,
    2,
    requirementsAt,
  ]);
  emptyRequirements.copy(signature, requirementsAt);
  const directory = signature.subarray(superBlobHeader, requirementsAt);
  const hashesAt = codeDirectorySize + identifier.length + specialSlots * hashSize;
  const pages = Math.ceil(code.length / pageSize);
  const adhoc = 0x2;
  writeWords(directory, [
    0xfade0c02,
    directoryLength,
    0x20400,
    adhoc,
    hashesAt,
    codeDirectorySize,
    specialSlots,
    pages,
    code.length,
  ]);
  // hash size, hash type 2 = SHA-256, platform, log2 of the page size
  directory.set([hashSize, 2, 0, 12], 36);
  directory.writeBigUInt64BE(layout.textOffset, 64);
  directory.writeBigUInt64BE(layout.textSize, 72);
  const mainBinary = 1n;
  directory.writeBigUInt64BE(mainBinary, 80);
  identifier.copy(directory, codeDirectorySize);
  sha256(emptyRequirements).copy(directory, hashesAt - 2 * hashSize);
  for (let page = 0; page < pages; page++) {
    sha256(code.subarray(page * pageSize, (page + 1) * pageSize)).copy(directory, hashesAt + page * hashSize);
  }
}

function writeWords(target: Buffer, words: readonly number[]): void {
  words.forEach((value, index) => {
    target.writeUInt32BE(value, index * 4);
  });
}

const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

const unexpected = (what: string): StorkError =>
  new StorkError({ code: 'UnexpectedExecutable', message: `The macOS executable can't be signed: ${what}.` });
