import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { chanceBytes, scratch, seededChance } from '../../mover/testing/test-volumes.ts';
import { blobLimitBytes } from '../format/pack.ts';
import { snapshotTrees } from '../restore/snapshot-trees.ts';
import { memoryRepository, save } from '../testing/save-and-restore.ts';
import {
  blocksLimitBytes,
  type ChunkingRule,
  chunkingOf,
  decideChunking,
  parseChunkingRule,
} from './choose-chunking.ts';

const kb = 1024;

describe('how a file is cut', () => {
  it('is decided by its size and content unless somebody says otherwise; a small one is one blob', () => {
    const [text, binary] = [() => true, () => false];
    assert.deepEqual(
      [512 * kb, 1024 * kb, 1024 * kb + 1].map((size) => decideChunking(size, 'auto', binary)),
      ['whole', 'pages', 'content'],
    );
    assert.equal(decideChunking(1024 * kb, 'auto', text), 'content');
    assert.equal(decideChunking(1024 * kb, 'fixed', text), 'pages');
    assert.equal(decideChunking(1024 * kb, 'content', binary), 'content');
    assert.equal(decideChunking(1024 * kb + 1, 'fixed', text), 'pages');
    assert.equal(decideChunking(512 * kb, 'fixed', binary), 'whole');
  });

  it('is never by blocks where their list would become longer than any reader takes', () => {
    for (const wish of ['auto', 'fixed'] as const) {
      assert.equal(
        decideChunking(blocksLimitBytes, wish, () => false),
        'pages',
      );
      assert.equal(
        decideChunking(blocksLimitBytes + 4 * kb, wish, () => false),
        'content',
      );
    }
    const listed = (blocksLimitBytes / (128 * kb)) * '"",'.length + (blocksLimitBytes / (128 * kb)) * 64;
    assert.ok(listed < 0.8 * blobLimitBytes);
  });

  it('is by content for text of whole pages, by blocks for a file with zeros in it', async () => {
    using space = scratch();
    const text = Buffer.alloc(3072 * kb, 'a line of a log\n');
    const database = Buffer.from(text);
    for (let page = 0; page < database.length; page += 16 * kb) database.fill(0, page, page + 64);
    writeFileSync(space.path('log'), text);
    writeFileSync(space.path('table'), database);
    const { repository } = await memoryRepository();
    const { tree } = await save(repository, [space.path('log'), space.path('table')]);
    const trees = snapshotTrees(repository, await repository.loadIndex());
    const blobsOf = async (name: string) => (await trees.find(tree, space.path(name)))?.content.length ?? 0;
    assert.equal(await blobsOf('table'), 24);
    assert.ok((await blobsOf('log')) < 7);
  });

  it('is said for all, or by patterns of which the last that fits counts', () => {
    const rules = ['content', 'fixed:*.ibd', 'auto:/srv/cache'].flatMap((text) => parseChunkingRule(text) ?? []);
    const wishFor = chunkingOf(rules);
    assert.equal(rules.length, 3);
    assert.equal(wishFor('/srv/a.iso'), 'content');
    assert.equal(wishFor('/srv/db/t.ibd'), 'fixed');
    assert.equal(wishFor('/srv/cache/t.ibd'), 'auto');
    assert.equal(chunkingOf([])('/srv/t.ibd'), 'auto');
  });

  for (const text of ['', 'much', 'fixed:', ':*.ibd'])
    it(`is not said by ${JSON.stringify(text)}`, () => assert.equal(parseChunkingRule(text), undefined));

  it('is what a backup does, down to one file of a directory', async () => {
    using space = scratch();
    const root = space.path('data');
    mkdirSync(`${root}/below`, { recursive: true });
    const content = chanceBytes(seededChance(3), 1024 * kb);
    for (const name of ['plain', 'below/one.db', 'below/other']) writeFileSync(`${root}/${name}`, content);
    const chunking: readonly ChunkingRule[] = [
      { wish: 'content', pattern: undefined },
      { wish: 'fixed', pattern: `${root}/below/one.db` },
    ];
    const { repository } = await memoryRepository();
    const { tree } = await save(repository, [root], { chunking });
    const trees = snapshotTrees(repository, await repository.loadIndex());
    const blobsOf = async (name: string) => (await trees.find(tree, `${root}/${name}`))?.content.length ?? 0;
    assert.equal(await blobsOf('below/one.db'), 8);
    assert.ok((await blobsOf('plain')) < 3);
    assert.equal(await blobsOf('below/other'), await blobsOf('plain'));
  });
});
