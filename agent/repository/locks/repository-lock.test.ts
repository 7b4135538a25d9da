import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { type ManualClock, manualClock } from '../../../kube/clock.ts';
import { idOf } from '../format/object-id.ts';
import { ivBytes } from '../format/seal.ts';
import { sealDocument } from '../format/unpacked.ts';
import { putMark } from '../prune/marks.ts';
import { packName, type Repository } from '../repository.ts';
import { failRepository } from '../repository-error.ts';
import { memoryRepository, testKey, writeRestorePoint } from '../testing/write-restore-point.ts';
import { forbids, isAbandoned, type LockWish, lockLifeMs, lockOf } from './decide-lock.ts';
import { encodeLock, type LockDocument } from './lock-document.ts';
import { type LockContext, takeLock } from './repository-lock.ts';
import { beginReading, beginWriting } from './writer-session.ts';

const minuteMs = 60_000;

function contextOf(
  repository: Repository,
  clock: ManualClock,
  living: readonly number[] = [1, 2],
  pid = 1,
): LockContext {
  const owner = {
    hostname: 'here',
    username: 'root',
    pid,
    pidSpace: 'boot ns',
    isAlive: (one: number) => living.includes(one),
  };
  return { repository, owner, clock, randomBytes };
}

const aLock = (over: Partial<LockDocument> = {}): LockDocument => ({
  time: new Date('2026-01-01T00:00:00Z'),
  exclusive: false,
  hostname: 'there',
  username: 'somebody',
  pid: 7,
  ours: undefined,
  ...over,
});

async function putForeign(repository: Repository, lock: LockDocument): Promise<string> {
  const sealed = sealDocument(testKey, encodeLock(lock), randomBytes(ivBytes));
  await repository.store.put(`locks/${idOf(sealed)}`, sealed);
  return `locks/${idOf(sealed)}`;
}

const locksOf = ({ store }: Awaited<ReturnType<typeof memoryRepository>>) =>
  [...store.objects.keys()].filter((name) => name.startsWith('locks/'));

describe('locks', () => {
  const allows: Readonly<Record<LockWish, readonly string[]>> = {
    read: ['reader', 'writer', 'mark', 'delete', 'restic shared'],
    write: ['reader', 'writer', 'mark', 'delete', 'restic shared'],
    mark: ['reader', 'writer', 'restic shared'],
    delete: ['reader', 'writer'],
    alone: [],
  };
  const ours = (wish: LockWish) =>
    aLock({ exclusive: lockOf[wish].exclusive, ours: { holder: 'x', role: lockOf[wish].role, pidSpace: '' } });
  const held: Readonly<Record<string, LockDocument>> = {
    reader: ours('read'),
    writer: ours('write'),
    mark: ours('mark'),
    delete: ours('delete'),
    alone: ours('alone'),
    'restic shared': aLock(),
    'restic exclusive': aLock({ exclusive: true }),
  };
  for (const [wish, names] of Object.entries(allows) as [LockWish, readonly string[]][])
    it(`${wish} goes beside: ${names.join(', ') || 'nothing'}`, () => {
      const beside = Object.entries(held).filter(([, lock]) => !forbids(lock, wish));
      assert.deepEqual(
        beside.map(([name]) => name),
        names,
      );
    });

  it('count no more when old, or when the process is known to be dead; never because of a foreign process id', () => {
    const here = { pidSpace: 'boot ns', isAlive: () => false };
    const lock = aLock();
    const later = (ms: number) => new Date(lock.time.getTime() + ms);
    assert.equal(isAbandoned(lock, later(lockLifeMs), here), false);
    assert.equal(isAbandoned(lock, later(lockLifeMs + 1), here), true);
    const beside = aLock({ ours: { holder: 'x', role: 'writer', pidSpace: 'boot ns' } });
    assert.equal(isAbandoned(beside, later(0), here), true);
    assert.equal(isAbandoned(beside, later(0), { ...here, isAlive: () => true }), false);
    const elsewhere = aLock({ ours: { holder: 'x', role: 'writer', pidSpace: 'another' } });
    assert.equal(isAbandoned(elsewhere, later(0), here), false);
  });

  it('are refreshed under new names, and gone when released', async () => {
    const repository = await memoryRepository();
    const clock = manualClock();
    const lock = await takeLock(contextOf(repository, clock), 'write');
    const [first] = locksOf(repository);
    await clock.advance(6 * minuteMs);
    assert.equal(locksOf(repository).length, 1);
    assert.notEqual(locksOf(repository)[0], first);
    await clock.advance(10 * 60 * minuteMs);
    assert.equal(await lock.isHeld(), true);
    await lock.release();
    assert.deepEqual(locksOf(repository), []);
    await clock.advance(60 * minuteMs);
    assert.deepEqual(locksOf(repository), []);
  });

  it('name who is in the way, and leave nothing behind', async () => {
    const repository = await memoryRepository();
    const clock = manualClock();
    const name = await putForeign(repository, aLock({ exclusive: true }));
    await assert.rejects(takeLock(contextOf(repository, clock), 'write'), {
      code: 'RepositoryLocked',
      message: /restic of somebody@there, pid 7, exclusive/,
      about: name,
    });
    assert.deepEqual(locksOf(repository), [name]);
  });

  it('of processes that are gone are removed by whoever comes next', async () => {
    const repository = await memoryRepository();
    const clock = manualClock();
    await putForeign(repository, aLock({ exclusive: true, time: new Date(clock.now().getTime() - lockLifeMs - 1) }));
    await putForeign(
      repository,
      aLock({ time: clock.now(), ours: { holder: 'x', role: 'alone', pidSpace: 'boot ns' } }),
    );
    await using _lock = await takeLock(contextOf(repository, clock), 'delete');
    assert.equal(locksOf(repository).length, 1);
  });

  it('that cannot be read stop everybody rather than nobody', async () => {
    const repository = await memoryRepository();
    repository.store.objects.set(`locks/${'a'.repeat(64)}`, Buffer.from('no lock'));
    await assert.rejects(takeLock(contextOf(repository, manualClock()), 'write'), { code: 'LockUnreadable' });
  });

  it('that cannot be given back do not make what was done a failure', async () => {
    const repository = await memoryRepository();
    const remove = async () => failRepository('StoreUnavailable', 'The store is away');
    const away = { ...repository, store: { ...repository.store, remove } };
    await (await takeLock(contextOf(away, manualClock()), 'write')).release();
  });

  it('are no longer trusted after a pause, or when somebody removed them', async () => {
    const repository = await memoryRepository();
    const clock = manualClock();
    const lock = await takeLock(contextOf(repository, clock), 'write');
    for (const name of locksOf(repository)) repository.store.objects.delete(name);
    assert.equal(await lock.isHeld(), false);
    await lock.renew();
    assert.equal(await lock.isHeld(), true);
    await lock.release();
  });
});

describe('a reader', () => {
  it('holds a lock that disturbs nobody', async () => {
    const repository = await memoryRepository();
    const context = contextOf(repository, manualClock());
    await using _reading = await beginReading(context);
    for (const wish of ['read', 'write', 'mark', 'delete'] as const) await (await takeLock(context, wish)).release();
  });
});

describe('a writer', () => {
  it('refers to nothing in packs that were marked before it began', async () => {
    const repository = await memoryRepository();
    const clock = manualClock();
    const files = { file: randomBytes(1000) };
    const first = await writeRestorePoint(repository, files);
    await putMark(repository, { time: clock.now(), packs: [first.packs.file ?? ''] }, randomBytes);
    await using session = await beginWriting(contextOf(repository, clock));
    assert.deepEqual([...session.markedPacks], [first.packs.file]);
    const second = await writeRestorePoint(repository, files, {
      except: session.markedPacks,
      commit: (snapshot) => session.commit(snapshot),
    });
    assert.notEqual(second.packs.file, first.packs.file);
  });

  for (const [title, isGone] of [
    ['that lost its lock writes its restore point when everything is still there', false],
    ['that lost its lock writes none when the collector took something meanwhile', true],
  ] as const)
    it(title, async () => {
      const repository = await memoryRepository();
      const clock = manualClock();
      const files = { file: randomBytes(1000) };
      const first = await writeRestorePoint(repository, files);
      await using session = await beginWriting(contextOf(repository, clock));
      const second = writeRestorePoint(repository, files, {
        commit: (snapshot) => {
          for (const name of locksOf(repository)) repository.store.objects.delete(name);
          if (isGone) repository.store.objects.delete(packName(first.packs.file ?? ''));
          return session.commit({ ...snapshot, hostname: 'second' });
        },
      });
      if (isGone) await assert.rejects(second, { code: 'WriterPaused' });
      else await second;
      assert.equal(
        (await repository.snapshots()).some(({ hostname }) => hostname === 'second'),
        !isGone,
      );
    });
});

describe('locks where the store keeps no names of ours', () => {
  async function hidden() {
    const clock = manualClock();
    const repository = await memoryRepository();
    const store = { ...repository.store, privateNames: async () => 'None' as const };
    return {
      repository,
      seeing: contextOf(repository, clock, [1, 2], 2),
      unseeing: contextOf({ ...repository, store }, clock),
    };
  }

  it("look like stock restic's: a collector that sees marks keeps away, and its deleting keeps us away", async () => {
    const { repository, seeing, unseeing } = await hidden();
    for (const wish of ['read', 'write'] as const) {
      await using _lock = await takeLock(unseeing, wish);
      await (await takeLock(seeing, 'mark')).release();
      await (await takeLock(seeing, 'write')).release();
      await assert.rejects(takeLock(seeing, 'delete'), { code: 'RepositoryLocked', message: /restic of .*shared/ });
    }
    await using _deleting = await takeLock(seeing, 'delete');
    for (const wish of ['read', 'write'] as const)
      await assert.rejects(takeLock(unseeing, wish), { code: 'RepositoryLocked' });
    assert.equal(locksOf(repository).length, 1);
  });

  it('are not to be had for work that needs marks', async () => {
    const { repository, unseeing } = await hidden();
    for (const wish of ['mark', 'delete', 'alone'] as const)
      await assert.rejects(takeLock(unseeing, wish), { code: 'PrivateNamesMissing' });
    assert.deepEqual(locksOf(repository), []);
  });
});
