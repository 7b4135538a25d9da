import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { directReader } from './direct-reader.ts';
import { blockStates } from './job.ts';
import { blockBytes } from './layout.ts';
import { openSyscalls } from './syscalls.ts';
import { chanceBytes, scratch, seededChance } from './testing/test-volumes.ts';
import { recordWrittenBlocks, writtenRuns } from './written-blocks.ts';

const { same, zero, sent } = blockStates;

describe('what an update wrote', () => {
  it('is known by block where it left others of a segment alone', () => {
    const written = recordWrittenBlocks();
    written.add('table', 3, Uint8Array.of(same, sent, zero, same, same, same, same, same, same, sent));
    const bits = written.blocksOf('table', 3);
    assert.ok(bits !== undefined);
    assert.deepEqual(
      [...writtenRuns(bits, 10)],
      [
        { block: 1, blocks: 2 },
        { block: 9, blocks: 1 },
      ],
    );
    assert.deepEqual([...writtenRuns(written.blocksOf('table', 4) ?? bits, 10)], []);
  });

  it('is the whole segment where it left nothing of it alone, wrote it twice, or wrote nothing to the file', () => {
    const written = recordWrittenBlocks();
    written.add('new', 0, Uint8Array.of(sent, zero));
    for (let times = 0; times < 2; times++) written.add('twice', 0, Uint8Array.of(sent, same));
    for (const path of ['new', 'twice', 'other']) assert.equal(written.blocksOf(path, 0), undefined);
  });

  it('is everything once it is too much to remember', () => {
    const written = recordWrittenBlocks();
    for (let segment = 0; segment < 65_537; segment++) written.add('table', segment, Uint8Array.of(sent, same));
    assert.equal(written.blocksOf('table', 0), undefined);
    assert.equal(written.blocksOf('table', 65_536), undefined);
    assert.equal(written.blocksOf('table', 70_000), undefined);
  });
});

describe('reading past the cache', () => {
  const syscalls = openSyscalls();
  it('puts what storage has into the written blocks, and touches no other', { skip: !syscalls.available }, () => {
    using space = scratch();
    const path = space.path('file');
    const content = chanceBytes(seededChance(5), 40 * blockBytes + 100);
    writeFileSync(path, content);
    const bytes = Buffer.alloc(content.length - blockBytes, 7);
    const bits = new Uint8Array(5).fill(0xff);
    bits[0] = 0b1110;
    const fd = openSync(path, 'r');
    assert.ok(directReader(syscalls).readOver(fd, bytes, blockBytes, bits));
    closeSync(fd);
    const expected = Buffer.from(content.subarray(blockBytes));
    expected.fill(7, 0, blockBytes);
    expected.fill(7, 4 * blockBytes, 8 * blockBytes);
    assert.ok(bytes.equals(expected));
  });

  it('says that it can not of what can not be opened so', { skip: !syscalls.available }, () => {
    const fd = openSync('/proc/self/status', 'r');
    assert.equal(directReader(syscalls).readOver(fd, Buffer.alloc(10), 0, Uint8Array.of(1)), false);
    closeSync(fd);
  });
});
