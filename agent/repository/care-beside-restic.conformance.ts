import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { systemClock } from '../../kube/clock.ts';
import { type Scratch, scratch } from '../mover/testing/test-volumes.ts';
import { forget } from './forget/forget.ts';
import { planForget } from './forget/plan-forget.ts';
import { parseSpan } from './forget/retention.ts';
import { processOwner } from './locks/process-owner.ts';
import { type LockContext, takeLock } from './locks/repository-lock.ts';
import { repair } from './repair/repair.ts';
import { initRepository } from './repository.ts';
import { directoryStore } from './store/directory-store.ts';
import { checkWithRestic, restic, resticMissing } from './testing/stock-restic.ts';
import { writeRestorePoint } from './testing/write-restore-point.ts';
import { verify } from './verify/verify.ts';

const password = 'a password';

async function make(space: Scratch): Promise<LockContext & { readonly place: string }> {
  const place = space.path('repo');
  const owner = { created: new Date(0), username: 'root', hostname: 'here' };
  const repository = await initRepository(directoryStore(place, randomUUID), password, owner, randomBytes);
  return { repository, owner: processOwner(), clock: systemClock(), randomBytes, place };
}

const everything = { read: 'everything' } as const;

describe('care beside stock restic', { skip: resticMissing }, () => {
  it('verifies what restic wrote, and restic checks what we forgot', async () => {
    using space = scratch();
    const context = await make(space);
    const { repository, place } = context;
    for (const message of ['first', 'second']) {
      const stdin = spawn('restic', ['--no-cache', 'backup', '--stdin', '--stdin-filename', message], {
        env: { ...process.env, RESTIC_PASSWORD: password, RESTIC_REPOSITORY: place },
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      stdin.stdin.end(randomBytes(2_000_000));
      await new Promise((resolve) => stdin.on('close', resolve));
    }
    const report = await verify({ repository, depth: everything });
    assert.deepEqual([report.damage, report.affected, report.checked.restorePoints], [[], [], 2]);
    const [oldest] = await repository.snapshots();
    await forget(context, { snapshots: [oldest?.id ?? ''], forgettingAll: 'Refused' });
    checkWithRestic(place, password);
    assert.equal(JSON.parse(restic(place, password, 'snapshots', '--json').toString()).length, 1);
    assert.deepEqual(readdirSync(`${place}/locks`), []);
  });

  it('restic works beside our writers, not beside a collector that deletes', async () => {
    using space = scratch();
    const context = await make(space);
    await writeRestorePoint(context.repository, { file: randomBytes(10) });
    const writer = await takeLock(context, 'write');
    restic(context.place, password, 'dump', 'latest', '/data/file');
    assert.throws(() => restic(context.place, password, 'prune'), /already locked/);
    await writer.release();
    const collector = await takeLock(context, 'delete');
    assert.throws(() => restic(context.place, password, 'dump', 'latest', '/data/file'), /already locked exclusively/);
    await collector.release();
    restic(context.place, password, 'prune');
  });

  it('a collector deletes nothing beside restic, and says who is in the way', async () => {
    using space = scratch();
    const context = await make(space);
    const running = spawn('restic', ['--no-cache', 'backup', '--stdin'], {
      env: { ...process.env, RESTIC_PASSWORD: password, RESTIC_REPOSITORY: context.place },
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    while ((await Array.fromAsync(context.repository.store.list('locks/'))).length === 0) await context.clock.sleep(20);
    await assert.rejects(takeLock(context, 'delete'), { code: 'RepositoryLocked', message: /restic of .*shared/ });
    await (await takeLock(context, 'mark')).release();
    await (await takeLock(context, 'write')).release();
    running.stdin.end('content');
    await new Promise((resolve) => running.on('close', resolve));
    await (await takeLock(context, 'delete')).release();
  });

  it('repairs so that restic works again, and the next backup brings back what was lost', async () => {
    using space = scratch();
    const context = await make(space);
    const { repository, place } = context;
    for (const name of ['one', 'two']) {
      mkdirSync(space.path('source'), { recursive: true });
      writeFileSync(space.path(`source/${name}`), randomBytes(200_000));
      restic(place, password, 'backup', space.path('source'));
    }
    const index = readdirSync(`${place}/index`).map((name) => `${place}/index/${name}`)[0] ?? '';
    const packs = await Array.fromAsync(repository.store.list('data/'));
    const largest = packs.toSorted((left, right) => right.sizeBytes - left.sizeBytes)[0]?.name ?? '';
    for (const path of [index, `${place}/${largest}`]) {
      chmodSync(path, 0o600);
      truncateSync(path, 90);
    }
    assert.throws(() => restic(place, password, 'check'));
    await repair(context, everything);
    restic(place, password, 'backup', '--force', space.path('source'));
    checkWithRestic(place, password);
    const { damage, affected } = await verify({ repository, depth: everything });
    assert.deepEqual([damage, affected], [[], []]);
  });

  it('keeps what restic would keep', async () => {
    using space = scratch();
    const { repository, place } = await make(space);
    const { tree } = await writeRestorePoint(repository, { file: randomBytes(10) });
    let atMs = Date.parse('2026-03-01T00:00:00Z');
    for (let number = 0; number < 150; number++) {
      atMs -= 3_600_000 * (1 + (number % 11) ** 2);
      const tags = number % 20 === 0 ? ['keep', 'other'] : ['other'];
      const hostname = number % 3 === 0 ? 'one' : 'two';
      await repository.putSnapshot({
        time: new Date(atMs),
        tree,
        paths: ['/data'],
        hostname,
        username: '',
        tags,
        excludes: [],
      });
    }
    const snapshots = await repository.snapshots();
    const scope = { hosts: [], tags: [], paths: [] };
    const policies = [
      {
        words: ['--keep-last', '3', '--keep-weekly', '5'],
        retention: { last: 3, keep: { weekly: 5 }, keepWithin: {}, tags: [] },
      },
      {
        words: ['--keep-hourly', '4', '--keep-daily', '7', '--keep-monthly', '3', '--keep-tag', 'keep,other'],
        retention: { keep: { hourly: 4, daily: 7, monthly: 3 }, keepWithin: {}, tags: [['keep', 'other']] },
      },
      {
        words: ['--keep-within', '20d', '--keep-within-weekly', '1m10d12h'],
        retention: {
          keep: {},
          within: parseSpan('20d', ''),
          keepWithin: { weekly: parseSpan('1m10d12h', '') },
          tags: [],
        },
      },
    ];
    for (const { words, retention } of policies) {
      const plan = planForget(snapshots, { retention, scope, groupBy: ['host', 'paths'], timeZone: 'UTC' });
      const ours = plan.groups.flatMap(({ keep }) => keep.map(({ snapshot }) => snapshot.id)).sort();
      const said = restic(place, password, 'forget', '--dry-run', '--json', ...words).toString();
      const groups = JSON.parse(said.slice(said.indexOf('['))) as { keep: { id: string }[] }[];
      assert.deepEqual(ours, groups.flatMap(({ keep }) => keep.map(({ id }) => id)).sort(), words.join(' '));
    }
  });
});
