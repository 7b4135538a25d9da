import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { manualClock } from '../../../kube/clock.ts';
import { beginWriting } from '../locks/writer-session.ts';
import { packName } from '../repository.ts';
import { testHost } from '../testing/lock-context.ts';
import { memoryRepository, writeRestorePoint } from '../testing/write-restore-point.ts';
import { verify } from '../verify/verify.ts';
import { hasWork, planRepair } from './plan-repair.ts';
import { repair } from './repair.ts';

async function aRepository() {
  const repository = await memoryRepository();
  const files = { one: randomBytes(3000), two: randomBytes(4000) };
  const point = await writeRestorePoint(repository, files);
  const host = testHost(manualClock());
  return { repository, host, context: host.context(repository), files, point, objects: repository.store.objects };
}

type Made = Awaited<ReturnType<typeof aRepository>>;

const look = ({ repository }: Made) => verify({ repository, depth: { read: 'everything' } });

async function mend(made: Made) {
  const packs = [...made.objects.keys()].filter((name) => /^(data|snapshots)\//.test(name));
  const { plan } = await repair(made.context, { read: 'everything' });
  assert.ok(hasWork(plan));
  for (const name of packs) assert.ok(made.objects.has(name), `${name} stays`);
  return await look(made);
}

const damageOne = (made: Made, prefix: string, damage: (bytes: Buffer) => Buffer | undefined) => {
  const name = [...made.objects.keys()].find((one) => one.startsWith(prefix)) ?? '';
  const bytes = damage(made.objects.get(name) ?? Buffer.alloc(0));
  if (bytes === undefined) made.objects.delete(name);
  else made.objects.set(name, bytes);
};

const half = (bytes: Buffer) => bytes.subarray(0, bytes.length / 2);

describe('repair', () => {
  for (const [title, damage] of [
    ['deleted', () => undefined],
    ['damaged', half],
  ] as const)
    it(`makes an index that was ${title} again from the packs`, async () => {
      const made = await aRepository();
      damageOne(made, 'index/', damage);
      const report = await mend(made);
      assert.deepEqual([report.damage, report.affected, report.notes], [[], [], []]);
    });

  for (const [title, damage] of [
    ['missing', () => undefined],
    ['damaged', half],
  ] as const)
    it(`lets the next backup bring back what a ${title} pack held`, async () => {
      const made = await aRepository();
      damageOne(made, packName(made.point.packs.one ?? ''), damage);
      const report = await mend(made);
      assert.deepEqual(report.damage, []);
      assert.deepEqual(
        report.affected.map(({ path }) => path),
        ['/data/one'],
      );
      await writeRestorePoint(made.repository, made.files);
      const healed = await look(made);
      assert.deepEqual([healed.damage, healed.affected], [[], []]);
    });

  it('finds nothing to do in a repository that is whole', async () => {
    assert.equal(hasWork(planRepair(await look(await aRepository()))), false);
  });

  it('waits for whoever works', async () => {
    const made = await aRepository();
    damageOne(made, 'index/', half);
    await using _writer = await beginWriting(made.host.context(made.repository));
    await assert.rejects(repair(made.context, { read: 'everything' }), { code: 'RepositoryLocked' });
  });
});
