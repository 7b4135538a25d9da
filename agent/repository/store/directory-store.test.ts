import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { describe, it } from 'node:test';
import { directoryStore } from './directory-store.ts';
import { describeStore, fails } from './testing/store-suite.ts';

async function emptyDirectory() {
  const root = await mkdtemp(join(tmpdir(), 'stork-store-'));
  return { root, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}

describeStore(
  'directory',
  async () => {
    const directory = await emptyDirectory();
    const again = () => directoryStore(join(directory.root, 'made/by/put'), randomUUID);
    return { store: again(), again, [Symbol.asyncDispose]: directory[Symbol.asyncDispose] };
  },
  { pages: false },
);

describeStore(
  'directory that flushes nothing',
  async () => {
    const directory = await emptyDirectory();
    const again = () => directoryStore(directory.root, randomUUID, { flush: 'None' });
    return { store: again(), again, [Symbol.asyncDispose]: directory[Symbol.asyncDispose] };
  },
  { pages: false },
);

describe('directory store', () => {
  it('takes a place as from the working directory, also one to be made', async () => {
    await using directory = await emptyDirectory();
    const store = directoryStore(relative(process.cwd(), join(directory.root, 'new')), randomUUID);
    assert.equal(store.description, `directory ${join(directory.root, 'new')}`);
    await store.put('data/aa/x', Buffer.of(1));
    assert.equal((await stat(join(directory.root, 'new/data/aa/x'))).size, 1);
  });

  it('keeps its files from other users, and from being written', async () => {
    await using directory = await emptyDirectory();
    await directoryStore(directory.root, randomUUID).put('data/aa/x', Buffer.of(1));
    assert.equal((await stat(join(directory.root, 'data/aa'))).mode & 0o777, 0o700);
    assert.equal((await stat(join(directory.root, 'data/aa/x'))).mode & 0o777, 0o400);
  });

  it('passes over what a killed put left, and removes it once it is old, nothing else', async () => {
    await using directory = await emptyDirectory();
    const { root } = directory;
    const store = directoryStore(root, randomUUID);
    await store.put('data/aa/x', Buffer.of(1));
    for (const name of ['.old.part', '.young.part', '.foreign', 'README'])
      await writeFile(join(root, 'data/aa', name), 'half');
    const old = new Date('2026-01-01T00:00:00Z');
    await utimes(join(root, 'data/aa/.old.part'), old, old);
    await utimes(join(root, 'data/aa/x'), old, old);
    assert.deepEqual((await Array.fromAsync(store.list('data/'))).map(({ name }) => name).sort(), [
      'data/aa/README',
      'data/aa/x',
    ]);
    assert.equal(await store.removeLeftovers(new Date('2026-01-02T00:00:00Z')), 1);
    assert.deepEqual((await readdir(join(root, 'data/aa'))).sort(), ['.foreign', '.young.part', 'README', 'x']);
  });

  it('leaves nothing behind when a put fails', async () => {
    await using directory = await emptyDirectory();
    const store = directoryStore(directory.root, () => 'same');
    await writeFile(join(directory.root, '.same.part'), '');
    await assert.rejects(store.put('x', Buffer.of(1)), fails('StoreUnavailable', true));
    assert.equal(await store.sizeOf('x'), undefined);
  });

  it('follows a directory that lies elsewhere', async () => {
    await using directory = await emptyDirectory();
    await using elsewhere = await emptyDirectory();
    await symlink(elsewhere.root, join(directory.root, 'data'));
    const store = directoryStore(directory.root, randomUUID);
    await store.put('data/aa/x', Buffer.of(1));
    assert.deepEqual(
      (await Array.fromAsync(store.list('data/'))).map(({ name }) => name),
      ['data/aa/x'],
    );
  });

  it('a directory that is not there is an empty store', async () => {
    await using directory = await emptyDirectory();
    const store = directoryStore(join(directory.root, 'none'), randomUUID);
    assert.equal(await store.sizeOf('config'), undefined);
    assert.deepEqual(await Array.fromAsync(store.list('')), []);
    assert.equal(await store.removeLeftovers(new Date('2100-01-01T00:00:00Z')), 0);
  });
});
