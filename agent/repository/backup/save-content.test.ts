import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { openSyscalls } from '../../mover/syscalls.ts';
import { chanceBytes, scratch, seededChance } from '../../mover/testing/test-volumes.ts';
import { cutAfter, fileChunks, gearTable } from './gear-chunker.ts';
import { contentReader } from './save-content.ts';

const table = gearTable(Buffer.alloc(32, 7));

/** Chunks of the whole content at once, as long as they come out the same earlier backups' chunks are found again. */
function* chunksOf(content: Buffer): Generator<Buffer> {
  for (let from = 0; from < content.length; ) {
    const size = cutAfter(content.subarray(from), table, fileChunks);
    yield content.subarray(from, from + size);
    from += size;
  }
}

describe('the content of a file', () => {
  const chance = seededChance(11);
  const contents = {
    random: chanceBytes(chance, 9_000_001),
    'one value, in the largest chunks': Buffer.alloc(21_000_003, 5),
    'short of one step': chanceBytes(chance, 1_999_999),
    'exactly two steps': chanceBytes(chance, 4 * 1024 * 1024),
  };
  for (const [what, content] of Object.entries(contents))
    it(`is cut as if it were read at once: ${what}`, () => {
      using space = scratch();
      const path = space.path('file');
      writeFileSync(path, content);
      const saved: Buffer[] = [];
      const save = (bytes: Uint8Array) => `${saved.push(Buffer.from(bytes))}`;
      const reader = contentReader({
        blobs: { save },
        syscalls: openSyscalls(),
        table,
        pace: undefined,
      });
      const fd = openSync(path, 'r');
      try {
        const { ids, bytes } = reader.save(fd, { offset: 0, length: content.length, chunking: 'content' });
        assert.equal(bytes, content.length);
        assert.equal(ids.length, saved.length);
      } finally {
        closeSync(fd);
      }
      const wanted = [...chunksOf(content)];
      assert.deepEqual(
        saved.map(({ length }) => length),
        wanted.map(({ length }) => length),
      );
      assert.ok(Buffer.concat(saved).equals(content));
    });
});
