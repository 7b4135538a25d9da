import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Parser } from 'tar';
import { type TarEntry, tarArchive } from './tar-archive.ts';

const entries: readonly TarEntry[] = [
  { type: 'folder', path: 'etc', mode: 0o755 },
  { type: 'file', path: 'etc/hello', mode: 0o640, content: Buffer.from('hello') },
  { type: 'file', path: 'etc/pieces', mode: 0o644, content: [Buffer.alloc(600, 1), Buffer.alloc(424, 2)] },
  { type: 'link', path: 'etc/link', target: 'hello' },
];

async function readBack(archive: Buffer) {
  const found: object[] = [];
  await new Promise<void>((resolve, reject) => {
    const parser = new Parser({ strict: true });
    parser.on('entry', (entry) => {
      const { path, type, mode, size, linkpath, uid, mtime } = entry;
      found.push({ path, type, mode, size, linkpath, uid, mtimeMs: mtime?.getTime() });
      entry.resume();
    });
    parser.on('end', resolve);
    parser.on('error', reject);
    parser.end(archive);
  });
  return found;
}

describe('tarArchive', () => {
  it('is read by another implementation as what was put in, without times or owners', async () => {
    const common = { uid: 0, mtimeMs: 0 };
    assert.deepEqual(await readBack(Buffer.concat(tarArchive(entries))), [
      { ...common, path: 'etc/', type: 'Directory', mode: 0o755, size: 0, linkpath: undefined },
      { ...common, path: 'etc/hello', type: 'File', mode: 0o640, size: 5, linkpath: undefined },
      { ...common, path: 'etc/pieces', type: 'File', mode: 0o644, size: 1024, linkpath: undefined },
      { ...common, path: 'etc/link', type: 'SymbolicLink', mode: 0o777, size: 0, linkpath: 'hello' },
    ]);
  });

  it('refuses a name that does not fit', () => {
    assert.throws(() => tarArchive([{ type: 'folder', path: 'a'.repeat(100), mode: 0o755 }]), RangeError);
  });
});
