import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ensureArtifact } from './artifact-cache.ts';

describe('ensureArtifact', () => {
  const outside = process.env.XDG_CACHE_HOME;
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'artifact-cache-'));
    process.env.XDG_CACHE_HOME = folder;
  });
  after(async () => {
    if (outside === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = outside;
    await rm(folder, { recursive: true });
  });

  const ensure = (key: string, content = key) =>
    ensureArtifact({ name: 'a', key, destination: join(folder, 'dist', 'a') }, (path) => writeFile(path, content));

  it('makes once, finds afterwards, and puts the right one in place', async () => {
    assert.equal(await ensure('one'), 'made');
    assert.equal(await ensure('two'), 'made');
    assert.equal(await ensure('one', 'never written'), 'found');
    assert.equal(await readFile(join(folder, 'dist', 'a'), 'utf8'), 'one');
    assert.deepEqual(await readdir(join(folder, 'dist')), ['a']);
  });

  it('keeps nothing of what failed', async () => {
    const failing = ensureArtifact({ name: 'a', key: 'bad', destination: join(folder, 'dist', 'a') }, async (path) => {
      await writeFile(path, 'half');
      throw new Error('no space');
    });
    await assert.rejects(failing, /no space/);
    assert.equal(await ensure('bad', 'whole'), 'made');
  });

  it('forgets old builds', async () => {
    for (const key of ['three', 'four', 'five', 'six']) await ensure(key);
    assert.equal((await readdir(join(folder, 'stork', 'artifacts', 'a'))).length, 3);
    assert.equal(await ensure('six'), 'found');
  });
});
