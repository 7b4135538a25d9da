import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { adhocSign } from './macho-signature.ts';
import { readAdhocSignature } from './read-adhoc-signature.ts';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** A Mach-O with __TEXT (one section) and __LINKEDIT at the file's end, and room behind the load commands. */
function aMachO(options: { readonly sizeBytes?: number; readonly firstSection?: number } = {}): Buffer {
  const file = Buffer.alloc(options.sizeBytes ?? 20_000, 0x90);
  file.fill(0, 0, 4096);
  file.writeUInt32LE(0xfeedfacf, 0);
  file.writeUInt32LE(0x0100000c, 4);
  file.writeUInt32LE(2, 16);
  file.writeUInt32LE(152 + 72, 20);
  const segment = (at: number, name: string, offset: number, size: number, sections: number) => {
    file.writeUInt32LE(0x19, at);
    file.writeUInt32LE(72 + 80 * sections, at + 4);
    file.write(name, at + 8);
    file.writeBigUInt64LE(BigInt(offset), at + 40);
    file.writeBigUInt64LE(BigInt(size), at + 48);
    file.writeUInt32LE(sections, at + 64);
  };
  segment(32, '__TEXT', 0, 16_384, 1);
  file.writeUInt32LE(options.firstSection ?? 4096, 32 + 72 + 48);
  segment(32 + 152, '__LINKEDIT', 16_384, file.length - 16_384, 0);
  return file;
}

describe('adhocSign', () => {
  it('adds a signature whose page digests are those of the file', () => {
    const signed = adhocSign(aMachO(), 'kubectl-stork');
    const signature = readAdhocSignature(signed);
    assert.equal(signature.identifier, 'kubectl-stork');
    assert.equal(signature.flags, 0x2);
    assert.equal(signature.codeLimit + signature.sizeBytes, signed.length);
    assert.equal(signature.pageDigests.length, Math.ceil(signature.codeLimit / 4096));
    signature.pageDigests.forEach((digest, page) => {
      assert.equal(digest, sha256(signed.subarray(page * 4096, Math.min((page + 1) * 4096, signature.codeLimit))));
    });
  });

  it('lets __LINKEDIT reach over the signature', () => {
    const signed = adhocSign(aMachO(), 'x');
    const linkedit = 32 + 152;
    assert.equal(Number(signed.readBigUInt64LE(linkedit + 40) + signed.readBigUInt64LE(linkedit + 48)), signed.length);
    assert.equal(Number(signed.readBigUInt64LE(linkedit + 32)) % 16_384, 0);
  });

  it('replaces a signature: signing twice gives the same bytes', () => {
    const once = adhocSign(aMachO(), 'x');
    assert.ok(adhocSign(once, 'x').equals(once));
  });

  it('refuses what is no thin Mach-O, and one without room for the load command', () => {
    assert.throws(() => adhocSign(Buffer.alloc(64), 'x'), { code: 'UnexpectedExecutable' });
    assert.throws(() => adhocSign(aMachO({ firstSection: 32 + 152 + 72 + 8 }), 'x'), { code: 'UnexpectedExecutable' });
  });
});
