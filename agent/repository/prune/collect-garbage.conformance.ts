import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { manualClock } from '../../../kube/clock.ts';
import { forget } from '../forget/forget.ts';
import { beginWriting } from '../locks/writer-session.ts';
import { packName } from '../repository.ts';
import { memoryStore } from '../store/memory-store.ts';
import { crashingStore, slowStore } from '../testing/crashing-store.ts';
import { allowed, assertWhole, forgottenPoint } from '../testing/forgotten-point.ts';
import { testHost } from '../testing/lock-context.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { memoryRepository, type TestFiles, writeRestorePoint } from '../testing/write-restore-point.ts';
import { type CollectOptions, collectGarbage } from './collect-garbage.ts';

const atOnce: CollectOptions = { minWaitMs: 0, unusedShare: 0.05, repackBytes: 2 ** 30, effects: 'Done' };
describe('garbage collection, killed', () => {
  it('at any change, before or after it, harms nothing and is finished by the next run', async () => {
    let points = 0;
    for (let change = 1, isPast = false; !isPast; change++)
      for (const when of ['before', 'after'] as const) {
        const { host, repository, objects, second } = await forgottenPoint();
        const dying = crashingStore(memoryStore(objects), { change, when });
        const victim = await host.open(dying);
        await collectGarbage(victim, atOnce).catch(() => undefined);
        isPast = !dying.isDead();
        if (isPast) break;
        points++;
        host.die(victim);
        assert.ok(objects.has(packName(second.packs.two ?? '')));
        await assertWhole(repository);
        await collectGarbage(host.context(repository), atOnce);
        await collectGarbage(host.context(repository), atOnce);
        assert.deepEqual(await assertWhole(repository), []);
        assert.equal([...objects.keys()].filter((name) => name.startsWith('data/')).length, 4);
        assert.deepEqual(
          [...objects.keys()].filter((name) => /^(locks|stork\/(marks|waits))/.test(name)),
          [],
        );
      }
    assert.ok(points > 20, `${points} points`);
  });
});

describe('garbage collection beside writers', () => {
  for (let seed = 1; seed <= 40; seed++)
    it(`leaves every restore point whole, seed ${seed}`, async () => {
      const clock = manualClock();
      const host = testHost(clock);
      const random = seededRandom(seed);
      const repository = await memoryRepository();
      const contents = Array.from({ length: 6 }, () => randomBytes(2000));
      const open = () => host.open(slowStore(memoryStore(repository.store.objects), random));
      const some = (): TestFiles =>
        Object.fromEntries(contents.filter(() => random() < 0.5).map((one, at) => [`${at}`, one]));
      const write = async () => {
        for (let round = 0; round < 3; round++) {
          const context = await open();
          await using session = await beginWriting(context);
          const commit = session.commit.bind(session);
          await writeRestorePoint(context.repository, some(), { except: session.markedPacks, commit });
        }
      };
      const forgetSome = async () => {
        for (let round = 0; round < 3; round++) {
          const context = await open();
          const snapshots = (await context.repository.snapshots()).filter(() => random() < 0.5).map(({ id }) => id);
          await forget(context, { snapshots, ...allowed });
        }
      };
      const collect = async () => {
        for (let round = 0; round < 4; round++) await collectGarbage(await open(), atOnce);
      };
      await Promise.all([write(), write(), forgetSome(), collect()]);
      await assertWhole(repository);
      await collectGarbage(host.context(repository), atOnce);
      await collectGarbage(host.context(repository), atOnce);
      assert.deepEqual(await assertWhole(repository), []);
    });
});
