import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { absorbLibatomic, neededLibraries } from './absorb-libatomic.ts';

// The very file that it is for: the pinned Node that runs this test (the artifacts' tests then run the result).
const node = readFileSync(process.execPath);
const isLinux = process.platform === 'linux' && existsSync('/proc/self/exe');

describe('absorbLibatomic', { skip: isLinux ? false : 'the pinned Node is an ELF file on linux only' }, () => {
  it("drops the one library and keeps the others' order", () => {
    const before = neededLibraries(node);
    assert.ok(before.includes('libatomic.so.1'));
    assert.deepEqual(
      neededLibraries(absorbLibatomic(node)),
      before.filter((name) => name !== 'libatomic.so.1'),
    );
  });

  it('leaves its input alone, and a file that needs nothing as it is', () => {
    const copy = Buffer.from(node);
    const once = absorbLibatomic(copy);
    assert.ok(copy.equals(node));
    assert.ok(absorbLibatomic(once).equals(once));
  });

  it('refuses what it does not know', () => {
    assert.throws(() => absorbLibatomic(Buffer.alloc(64)), { code: 'UnexpectedExecutable' });
    const occupied = Buffer.from(node);
    occupied.writeUInt16LE(8, 18);
    assert.throws(() => absorbLibatomic(occupied), { code: 'UnexpectedExecutable' });
  });
});
