import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { packName } from '../repository.ts';
import { memoryRepository, writeRestorePoint } from '../testing/write-restore-point.ts';
import { choosePacks } from './choose-packs.ts';
import { type VerifyDepth, verify } from './verify.ts';

const everything: VerifyDepth = { read: 'everything' };
const structure: VerifyDepth = { read: 'structure' };

async function aRepository() {
  const repository = await memoryRepository();
  const shared = randomBytes(5000);
  const first = await writeRestorePoint(repository, { one: randomBytes(3000), shared });
  const second = await writeRestorePoint(
    repository,
    { shared, two: randomBytes(4000) },
    { time: new Date('2026-01-02T00:00:00Z') },
  );
  return { repository, objects: repository.store.objects, first, second };
}

type Repository = Awaited<ReturnType<typeof aRepository>>;

const flip = (bytes: Buffer, at = Math.floor(bytes.length / 2)): Buffer => {
  const flipped = Buffer.from(bytes);
  flipped[at] = (flipped[at] ?? 0) ^ 1;
  return flipped;
};

const objectsNamed = async ({ repository }: Repository, depth: VerifyDepth) =>
  (await verify({ repository, depth })).damage.map(({ object }) => object);

describe('verify', () => {
  it('finds nothing in a repository that is whole, and says what it looked at', async () => {
    const { repository } = await aRepository();
    const report = await verify({ repository, depth: everything });
    assert.deepEqual(report.damage, []);
    assert.deepEqual(report.affected, []);
    assert.equal(report.checked.restorePoints, 2);
    assert.equal(report.checked.packs, report.checked.packsRead);
    assert.equal(report.checked.blobs, 7);
  });

  it('names every object of which one bit was flipped', async () => {
    const names = [...(await aRepository()).objects.keys()].map((name) => name.split('/')[0]);
    for (let number = 0; number < names.length; number++) {
      const made = await aRepository();
      const name = [...made.objects.keys()][number] ?? '';
      if (name === 'config') continue;
      made.objects.set(name, flip(made.objects.get(name) ?? Buffer.alloc(0)));
      assert.ok((await objectsNamed(made, everything)).includes(name), name);
    }
  });

  it('names every object that was cut short, packs without reading them', async () => {
    const count = (await aRepository()).objects.size;
    for (let number = 0; number < count; number++) {
      const made = await aRepository();
      const name = [...made.objects.keys()][number] ?? '';
      if (name === 'config') continue;
      const bytes = made.objects.get(name) ?? Buffer.alloc(0);
      made.objects.set(name, bytes.subarray(0, bytes.length - 7));
      assert.ok((await objectsNamed(made, structure)).includes(name), name);
    }
  });

  it('names two packs whose bytes were exchanged', async () => {
    const made = await aRepository();
    const [one = '', shared = ''] = [made.first.packs.one, made.first.packs.shared].map((id) => packName(id ?? ''));
    const [left, right] = [made.objects.get(one), made.objects.get(shared)];
    made.objects.set(one, right ?? Buffer.alloc(0));
    made.objects.set(shared, left ?? Buffer.alloc(0));
    assert.deepEqual((await objectsNamed(made, everything)).sort(), [one, shared].sort());
  });

  it('tells exactly the files of each restore point that a lost pack takes with it', async () => {
    const { repository, objects, first, second } = await aRepository();
    const lost = packName(first.packs.shared ?? '');
    objects.delete(lost);
    const report = await verify({ repository, depth: structure });
    assert.deepEqual(
      report.damage.map(({ object, kind }) => [object, kind]),
      [[lost, 'missing']],
    );
    assert.deepEqual(
      report.affected.map(({ restorePoint, path, objects: needed }) => ({ restorePoint, path, needed })),
      [first, second].map(({ snapshot }) => ({
        restorePoint: `snapshots/${snapshot}`,
        path: '/data/shared',
        needed: [lost],
      })),
    );
  });

  it('keeps the first of very many lost files, counts them, and tells each to who wants to know', async () => {
    const repository = await memoryRepository();
    const content = randomBytes(100);
    const files = Object.fromEntries(Array.from({ length: 1200 }, (_, at) => [`f${at}`, content]));
    const { packs } = await writeRestorePoint(repository, files);
    repository.store.objects.delete(packName(packs.f0 ?? ''));
    const told = new Set<string>();
    const affectedTo = { begin: () => told.clear(), add: ({ path }: { readonly path: string }) => void told.add(path) };
    const report = await verify({ repository, depth: structure, affectedTo });
    assert.deepEqual([report.affected.length, report.affectedCount, told.size], [1000, 1200, 1200]);
  });

  it('tells a directory whose tree is lost', async () => {
    const { repository, objects, first } = await aRepository();
    objects.delete(packName(first.treePack));
    const { affected } = await verify({ repository, depth: structure });
    assert.deepEqual(
      affected.map(({ restorePoint, path, type }) => [restorePoint, path, type]),
      [[`snapshots/${first.snapshot}`, '/data', 'dir']],
    );
  });

  it('names the packs that a lost index named, when restore points need them', async () => {
    const { repository, objects, second } = await aRepository();
    const indexes = [...objects.keys()].filter((name) => name.startsWith('index/'));
    objects.delete(indexes[1] ?? '');
    const report = await verify({ repository, depth: structure });
    assert.ok(report.damage.some(({ object }) => object === packName(second.packs.two ?? '')));
    assert.deepEqual(
      report.affected.map(({ restorePoint }) => restorePoint),
      [`snapshots/${second.snapshot}`],
    );
  });

  it('only notes packs of an unfinished backup', async () => {
    const { repository, first } = await aRepository();
    const id = await repository.putPack(randomBytes(100));
    const { damage, notes } = await verify({ repository, depth: everything });
    assert.deepEqual(damage, []);
    assert.deepEqual(
      notes.map(({ object, kind }) => [object, kind]),
      [[packName(id), 'unindexed']],
    );
    assert.notEqual(id, first.treePack);
  });

  it('samples the same share of the packs for the same seed', () => {
    const packs = Array.from({ length: 1000 }, () => randomBytes(32).toString('hex'));
    const chosen = choosePacks(packs, 10, 'monday');
    assert.deepEqual(choosePacks(packs.toReversed(), 10, 'monday'), chosen.toReversed());
    assert.ok(chosen.length > 50 && chosen.length < 170, `${chosen.length}`);
    assert.equal(choosePacks(packs, 100, 'x').length, 1000);
    assert.equal(choosePacks(packs, 0, 'x').length, 0);
  });
});
