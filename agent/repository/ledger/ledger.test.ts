import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { manualClock } from '../../../kube/clock.ts';
import { forget } from '../forget/forget.ts';
import { addKeySlot, removeKeySlot } from '../keys/key-slots.ts';
import { byPassphrase } from '../keys/unlock.ts';
import { beginWriting } from '../locks/writer-session.ts';
import { repair } from '../repair/repair.ts';
import type { Repository } from '../repository.ts';
import { memoryStore } from '../store/memory-store.ts';
import { crashingStore } from '../testing/crashing-store.ts';
import { testHost } from '../testing/lock-context.ts';
import { memoryRepository, writeRestorePoint } from '../testing/write-restore-point.ts';
import { verify } from '../verify/verify.ts';
import { keepLedger } from './keep-ledger.ts';
import { entryName, factOf, ledgerPrefix } from './ledger-entry.ts';
import { readLedger } from './read-ledger.ts';
import { recordAdded, recordRemoving } from './write-ledger.ts';

const structure = { read: 'structure' } as const;
const allowed = { forgettingAll: 'Allowed' } as const;
const owner = { created: new Date('2026-01-01T00:00:00Z'), username: 'u', hostname: 'h' };
const slot = { kind: 'ours', wrapping: byPassphrase('pass'), label: 'night shift', owner } as const;

async function aRepository() {
  const repository = await memoryRepository();
  const host = testHost(manualClock());
  const context = host.context(repository);
  return { repository, objects: repository.store.objects, host, context };
}

type Made = Awaited<ReturnType<typeof aRepository>>;

/** As a backup of ours does. */
async function backUp({ host, repository }: Pick<Made, 'host' | 'repository'>, name: string): Promise<string> {
  await using session = await beginWriting(host.context(repository));
  const files = { [name]: Buffer.from(`content of ${name}`) };
  const options = { hostname: name, commit: session.commit, time: new Date('2026-02-03T04:05:06Z') };
  return (await writeRestorePoint(repository, files, options)).snapshot;
}

/** Two restore points, and more entries than are kept, of others that were forgotten. */
async function aLongLedger() {
  const made = await aRepository();
  const points = [await backUp(made, 'one'), await backUp(made, 'two')];
  for (let number = 0; number < 65; number++) {
    const forgotten = `snapshots/${randomBytes(32).toString('hex')}`;
    await recordRemoving(made.context, [forgotten], { time: made.context.clock.now(), why: 'forgotten' });
  }
  return { ...made, points };
}

async function look(repository: Repository) {
  const { damage, gone, notes } = await verify({ repository, depth: structure });
  const names = (findings: typeof damage) => findings.map(({ object, kind }) => `${kind} ${object}`);
  return { damage: names(damage), gone: names(gone), notes: names(notes) };
}

const nothing = { damage: [], gone: [], notes: [] };

describe('the ledger of a repository', () => {
  it('tells a deleted restore point, of what and when it was, and not one that was forgotten', async () => {
    const made = await aRepository();
    const [first, second] = [await backUp(made, 'one'), await backUp(made, 'two')];
    await forget(made.context, { snapshots: [first], ...allowed });
    assert.deepEqual(await look(made.repository), nothing);
    made.objects.delete(`snapshots/${second}`);
    const { gone, damage } = await verify({ repository: made.repository, depth: structure });
    assert.deepEqual(damage, []);
    assert.equal(gone.length, 1);
    assert.equal(gone[0]?.object, `snapshots/${second}`);
    assert.match(
      gone[0]?.message ?? '',
      /of two: \/data\), of 2026-02-03T04:05:06\.000Z, is no longer there.*restic forget/,
    );
  });

  it('tells a deleted key slot of ours as damage, one of restic as gone, and not one that was removed', async () => {
    const made = await aRepository();
    const slots = [];
    for (const kind of ['ours', 'ours', 'restic', 'restic'] as const)
      slots.push(await addKeySlot(made.repository, { ...slot, kind }, randomBytes));
    const [first, second, third] = slots;
    assert.ok(first && second && third);
    await removeKeySlot(made.context, first, { lastOfRestic: 'Refused' });
    assert.deepEqual(await look(made.repository), nothing);
    made.objects.delete(second.name);
    made.objects.delete(third.name);
    const report = await verify({ repository: made.repository, depth: structure });
    assert.deepEqual(
      [...report.damage, ...report.gone].map(({ object, kind }) => [kind, object]),
      [
        ['missing', second.name],
        ['gone', third.name],
      ],
    );
    assert.match(
      report.damage[0]?.message ?? '',
      /scrypt by u@h, night shift.*Whoever opened the repository with it no longer can/,
    );
  });

  it('takes no entry for lost that a listing beside its writer did not show', async () => {
    const made = await aRepository();
    for (const name of ['one', 'two', 'three']) await backUp(made, name);
    let listings = 0;
    const { store } = made.repository;
    const list: typeof store.list = async function* (prefix, signal) {
      const isPartial = prefix === ledgerPrefix && ++listings === 1;
      for await (const object of store.list(prefix, signal))
        if (!isPartial || object.name !== entryName(2)) yield object;
    };
    const { findings, head } = await readLedger({ ...made.repository, store: { ...store, list } });
    assert.deepEqual({ findings, head, listings }, { findings: [], head: 3, listings: 2 });
  });

  it('takes in what others added when the collector comes by, and tells of it from then on', async () => {
    const made = await aRepository();
    const { snapshot } = await writeRestorePoint(made.repository, { a: Buffer.from('a') });
    assert.equal((await keepLedger(made.context, { whenDamaged: 'Kept' })).adopted, 1);
    assert.deepEqual(await keepLedger(made.context, { whenDamaged: 'Kept' }), { adopted: 0, summedUp: false });
    made.objects.delete(`snapshots/${snapshot}`);
    assert.deepEqual((await look(made.repository)).gone, [`gone snapshots/${snapshot}`]);
  });

  it('loses nothing when many write at once', async () => {
    const made = await aRepository();
    const facts = Array.from({ length: 20 }, () =>
      factOf(`snapshots/${randomBytes(32).toString('hex')}`, new Date(0), 'x'),
    );
    for (const { object } of facts) made.objects.set(object, Buffer.from('x'));
    await Promise.all(facts.map((fact) => recordAdded({ repository: made.repository, randomBytes }, [fact])));
    const { state, entries, findings } = await readLedger(made.repository);
    assert.deepEqual([entries, findings], [facts.length, []]);
    assert.deepEqual([...state.there.keys()].sort(), facts.map(({ object }) => object).sort());
  });

  it('is summed up when it is long, and says the same afterwards', async () => {
    const { points, ...made } = await aLongLedger();
    const before = await readLedger(made.repository);
    assert.equal((await keepLedger(made.context, { whenDamaged: 'Kept' })).summedUp, true);
    const after = await readLedger(made.repository);
    assert.deepEqual([after.state, after.entries, after.head], [before.state, 1, before.head + 1]);
    assert.deepEqual(await look(made.repository), nothing);
    await backUp(made, 'later');
    made.objects.delete(`snapshots/${points[1]}`);
    assert.deepEqual(await look(made.repository), { ...nothing, gone: [`gone snapshots/${points[1]}`] });
  });

  it('tells a restore point that was deleted together with its entry, by the gap', async () => {
    const made = await aRepository();
    const points = [await backUp(made, 'one'), await backUp(made, 'two'), await backUp(made, 'three')];
    for (const [at, number] of [1, 2].entries()) {
      const objects = new Map(made.objects);
      objects.delete(entryName(number));
      objects.delete(`snapshots/${points[at]}`);
      const { context } = { context: await made.host.open(memoryStore(objects)) };
      assert.deepEqual((await look(context.repository)).damage, [`missing ${entryName(number)}`]);
    }
  });

  it('tells that it was removed as a whole, and restore points of ours that its end knew', async () => {
    const made = await aRepository();
    const options = { commit: made.repository.putSnapshot };
    await writeRestorePoint(made.repository, { a: Buffer.from('a') }, options);
    assert.deepEqual(await look(made.repository), nothing, 'of stock restic');
    await made.repository.putSnapshot({
      ...{ time: new Date(0), tree: (await made.repository.snapshots())[0]?.tree ?? '', paths: ['/'], hostname: 'h' },
      ...{ username: 'u', tags: [], excludes: [], programVersion: 'stork 1.2.3' },
    });
    assert.deepEqual((await look(made.repository)).gone, ['gone stork/ledger/']);
    await backUp(made, 'one');
    assert.deepEqual(
      (await look(made.repository)).notes.map((note) => note.slice(0, 10)),
      ['unrecorded'],
    );
    await keepLedger(made.context, { whenDamaged: 'Kept' });
    assert.deepEqual(await look(made.repository), nothing);
  });

  it('can not be forged, exchanged or played again', async () => {
    const made = await aRepository();
    await backUp(made, 'one');
    const old = made.objects.get(entryName(1)) ?? Buffer.alloc(0);
    await backUp(made, 'two');
    const second = made.objects.get(entryName(2)) ?? Buffer.alloc(0);
    made.objects.set(entryName(2), old);
    assert.deepEqual((await look(made.repository)).damage, [`altered ${entryName(2)}`]);
    made.objects.set(entryName(2), Buffer.concat([second, Buffer.of(0)]));
    assert.deepEqual((await look(made.repository)).damage, [`altered ${entryName(2)}`]);
    // An authentic entry of that number, of another history.
    const other = await aRepository();
    await backUp(other, 'other');
    made.objects.set(entryName(2), second);
    made.objects.set(entryName(1), other.objects.get(entryName(1)) ?? Buffer.alloc(0));
    assert.ok((await look(made.repository)).damage.includes(`altered ${entryName(1)}`));
  });

  it('that is damaged keeps nobody from working, is left alone by prune, and made anew by repair', async () => {
    const made = await aRepository();
    const [first, second] = [await backUp(made, 'one'), await backUp(made, 'two')];
    made.objects.set(entryName(2), Buffer.from('damaged'));
    const third = await backUp(made, 'three');
    await forget(made.context, { snapshots: [first], ...allowed });
    assert.deepEqual(await keepLedger(made.context, { whenDamaged: 'Kept' }), { adopted: 0, summedUp: false });
    assert.deepEqual((await look(made.repository)).damage, [`altered ${entryName(2)}`]);
    const { plan } = await repair(made.context, structure);
    assert.deepEqual([plan.ledger, plan.beyondRepair], ['MadeAnew', []]);
    assert.deepEqual(await look(made.repository), nothing);
    for (const point of [second, third]) {
      made.objects.delete(`snapshots/${point}`);
      assert.ok((await look(made.repository)).gone.includes(`gone snapshots/${point}`));
    }
  });

  it('tells a forget that was killed before, in or after it as unfinished, or not at all', async () => {
    for (let change = 1, isPast = false; !isPast; change++)
      for (const when of ['before', 'after'] as const) {
        const made = await aRepository();
        const points = [await backUp(made, 'one'), await backUp(made, 'two'), await backUp(made, 'three')];
        const dying = crashingStore(made.repository.store, { change, when });
        const victim = await made.host.open(dying);
        const request = { snapshots: points.slice(0, 2), ...allowed };
        await forget(victim, request).catch(() => undefined);
        isPast = !dying.isDead();
        made.host.die(victim);
        const { damage, gone, notes } = await look(made.repository);
        assert.deepEqual([damage, gone], [[], []]);
        for (const note of notes) assert.match(note, /^unfinished snapshots/);
        const left = points.filter((point) => made.objects.has(`snapshots/${point}`));
        await forget(made.context, { ...request, snapshots: left.slice(0, -1) });
        assert.deepEqual(await look(made.repository), nothing);
      }
  });

  it('tells nothing of a backup that was killed beside its restore point, until prune has written it down', async () => {
    for (let change = 1, isPast = false; !isPast; change++)
      for (const when of ['before', 'after'] as const) {
        const made = await aRepository();
        const dying = crashingStore(made.repository.store, { change, when });
        const victim = await made.host.open(dying);
        await backUp(
          {
            host: { ...made.host, context: () => victim },
            repository: { ...victim.repository, store: made.repository.store },
          },
          'one',
        ).catch(() => undefined);
        isPast = !dying.isDead();
        made.host.die(victim);
        const { damage, gone } = await look(made.repository);
        assert.deepEqual([damage, gone], [[], []]);
        await keepLedger(made.context, { whenDamaged: 'Kept' });
        const [point] = await made.repository.snapshots();
        if (point === undefined) continue;
        made.objects.delete(`snapshots/${point.id}`);
        assert.deepEqual((await look(made.repository)).gone, [`gone snapshots/${point.id}`]);
      }
  });

  it('killed while it is summed up says the same, and is summed up by the next', async () => {
    const long = await aLongLedger();
    // Its removals are all alike.
    for (let change = 1, isPast = false; !isPast; change += change < 4 ? 1 : 21)
      for (const when of ['before', 'after'] as const) {
        const store = memoryStore(new Map(long.objects));
        const dying = crashingStore(store, { change, when });
        await keepLedger(await long.host.open(dying), { whenDamaged: 'Kept' }).catch(() => undefined);
        isPast = !dying.isDead();
        const next = await long.host.open(store);
        assert.deepEqual(await look(next.repository), nothing);
        await keepLedger(next, { whenDamaged: 'Kept' });
        store.objects.delete(`snapshots/${long.points[0]}`);
        assert.deepEqual(await look(next.repository), { ...nothing, gone: [`gone snapshots/${long.points[0]}`] });
      }
  });
});
