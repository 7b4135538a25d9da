import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { idOf } from '../format/object-id.ts';
import { packWrite, unpackWrite } from './packed-write.ts';
import type { FetchedBlob, WriteItem, WriteJob } from './restore-job.ts';

const aFile = (changes: Partial<WriteItem>, node: Partial<WriteItem['node']> = {}): WriteItem => ({
  ...{ directory: 7, fd: undefined, offset: 0, isNew: true, pieces: [], blobs: [] },
  node: { name: 'a', mode: 0o644, uid: 0, gid: 0, links: 1, size: 0, mtimeNs: 0n, xattrs: [], ...node },
  ...changes,
});

const aBlob = (of: string, changes: Partial<FetchedBlob> = {}): FetchedBlob => ({
  ...{ id: idOf(Buffer.from(of)), type: 'data', pack: idOf(Buffer.from('pack')), offset: 0, length: 40 },
  ...{ uncompressedLength: undefined, from: { buffer: 0, offset: 0 }, ...changes },
});

const aJob = (items: readonly WriteItem[], blobs: readonly FetchedBlob[] = []): WriteJob => ({
  ...{ do: 'write', items, blobs, buffers: [new ArrayBuffer(3)], wholeTrees: 'keep' },
});

const large = 2 ** 52 + 1;
const jobs: Readonly<Record<string, WriteJob>> = {
  'without a file': aJob([]),
  'of an empty file': aJob([aFile({})]),
  'of names as the kernel allows them': aJob([aFile({}, { name: '\xff\n "\\' }), aFile({}, { name: 'b' })]),
  'of files with some pieces and none': aJob(
    [
      aFile({ pieces: [{ length: 5 }, { length: 6 }], blobs: [1, undefined] }, { name: 'a', size: 11 }),
      aFile({}, { name: 'b' }),
      aFile({ pieces: [{ length: 5 }], blobs: [0], isNew: false }, { name: 'c', size: 5 }),
    ],
    [aBlob('one', { uncompressedLength: 90 }), aBlob('two', { from: { buffer: 1, offset: 12 }, offset: 100 })],
  ),
  'of a part of a large open file': aJob([aFile({ fd: 0, offset: large, pieces: [{ length: 1 }], blobs: [0] })]),
  'of the largest numbers': aJob([
    aFile({}, { mode: 0o7777, uid: 2 ** 32 - 2, gid: 2 ** 32 - 2, links: 2 ** 32, size: large }),
  ]),
  'of times beyond 64 bits': aJob([aFile({}, { mtimeNs: 253_402_300_799_999_999_999n }), aFile({}, { mtimeNs: -5n })]),
  'with attributes of one file': aJob([
    aFile({}, { name: 'a' }),
    aFile({}, { name: 'b', xattrs: [{ name: 'user.x', value: new Uint8Array([1, 2]) }] }),
  ]),
  'with a blob that is lost': aJob(
    [aFile({ pieces: [{ length: 1 }], blobs: [0] })],
    [aBlob('x', { pack: '(no index names one)', from: undefined }), aBlob('y')],
  ),
};

describe('a packed write job', () => {
  for (const [what, job] of Object.entries(jobs))
    it(`${what} arrives as it was`, () => assert.deepEqual(unpackWrite(structuredClone(packWrite(job))), job));

  it('with a name that no file has is refused', () => {
    assert.throws(() => unpackWrite(packWrite(aJob([aFile({}, { name: 'a/b' })]))), /other names than files/);
  });
});
