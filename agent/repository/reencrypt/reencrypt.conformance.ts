import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { digestOf, scratch } from '../../mover/testing/test-volumes.ts';
import { crashingStore } from '../testing/crashing-store.ts';
import { assertWhole } from '../testing/forgotten-point.ts';
import { assertCopied, oldAndNew } from '../testing/reencryption.ts';
import { runCommand } from '../testing/run-command.ts';
import { checkWithRestic, restic, resticMissing } from '../testing/stock-restic.ts';
import { writeRestorePoint } from '../testing/write-restore-point.ts';
import { verify } from '../verify/verify.ts';
import { reencrypt } from './reencrypt.ts';
import { readSuccessor } from './successor.ts';

const place = 'the new place';

describe('encrypting anew, killed', () => {
  for (const where of ['source', 'target'] as const)
    it(`at any change of the ${where}, before or after it, harms nothing and is gone on with`, async () => {
      let points = 0;
      for (let change = 1, isPast = false; !isPast; change++)
        for (const when of ['before', 'after'] as const) {
          const { host, repository, target, openTarget } = await oldAndNew();
          const dying = crashingStore(where === 'source' ? repository.store : target, { change, when });
          const source = await host.open(where === 'source' ? dying : repository.store);
          const victim = await openTarget(where === 'target' ? dying : target);
          await reencrypt({ source, target: victim, place }).catch(() => undefined);
          isPast = !dying.isDead();
          if (isPast) break;
          points++;
          host.die(source);
          host.die(victim);
          await assertWhole(repository);
          // Once it is said to be replaced, the copy is whole.
          if ((await readSuccessor(repository)) !== undefined) {
            await assertCopied(repository, (await openTarget()).repository);
            continue;
          }
          // Before that the old one is in use: another restore point comes in between.
          const time = new Date('2026-01-03T00:00:00Z');
          await writeRestorePoint(repository, { three: Buffer.from(`three ${change} ${when}`) }, { time });
          const again = await openTarget();
          const { snapshots } = await reencrypt({ source: host.context(repository), target: again, place });
          assert.equal(snapshots.length, 3);
          const { notes, damage } = await verifyNotes(again.repository);
          assert.deepEqual(damage, []);
          // Packs that no index names yet when it was killed are garbage, for `prune`.
          assert.ok(notes.every((note) => note === 'unindexed'));
          assert.equal((await again.repository.snapshots()).length, 3);
          assert.ok((await readSuccessor(repository)) !== undefined);
          assert.deepEqual(
            [...repository.store.objects.keys(), ...target.objects.keys()].filter((name) => name.startsWith('locks/')),
            [],
          );
        }
      assert.ok(points >= (where === 'source' ? 5 : 14), `${points} points`);
    });
});

async function verifyNotes(repository: Parameters<typeof assertWhole>[0]) {
  const { damage, affected, notes } = await verify({ repository, depth: { read: 'everything' } });
  return { damage: [...damage, ...affected], notes: notes.map(({ kind }) => kind) };
}

describe('a repository that was encrypted anew', { skip: resticMissing }, () => {
  it('is one that stock restic checks, restores equal, and goes on with; the old one is readable until it is removed', async () => {
    using space = scratch();
    const [tree, old, fresh] = [space.path('tree'), space.path('old'), space.path('new')];
    const [oldPassword, newPassword] = [space.path('old-password'), space.path('new-password')];
    writeFileSync(oldPassword, 'leaked');
    writeFileSync(newPassword, 'fresh');
    mkdirSync(`${tree}/sub`, { recursive: true });
    writeFileSync(`${tree}/random`, Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 7919) % 251)));
    writeFileSync(`${tree}/sub/small`, 'small');
    // The first by stock restic, with a tag, the second by us.
    restic(old, 'leaked', 'init');
    restic(old, 'leaked', 'backup', '--tag', 'by-restic', tree);
    writeFileSync(`${tree}/sub/later`, 'later');
    const atOld = ['--repo', old, '--password-file', oldPassword];
    const atNew = ['--repo', fresh, '--password-file', newPassword];
    assert.equal((await runCommand('backup', tree, ...atOld)).exitCode, 0);
    const rotate = () =>
      runCommand(
        'key',
        'rotate',
        '--reencrypt',
        ...atOld,
        '--new-repo',
        fresh,
        '--new-password-file',
        newPassword,
        '--json',
      );
    const rotated = await rotate();
    assert.equal(rotated.exitCode, 0, rotated.stderr);
    const told = JSON.parse(rotated.stdout.toString()) as { snapshots: { from: string; to: string }[] };
    checkWithRestic(fresh, 'fresh');
    for (const { from, to } of told.snapshots) {
      const [before, after] = [space.path(`a${from}`), space.path(`b${to}`)];
      restic(old, 'leaked', 'restore', from, '--target', before);
      restic(fresh, 'fresh', 'restore', to, '--target', after);
      // Directories above the tree get no times of their own.
      assert.equal((await digestOf(`${after}${tree}`)).digest, (await digestOf(`${before}${tree}`)).digest);
    }
    const listed = JSON.parse(restic(fresh, 'fresh', 'snapshots', '--json').toString()) as {
      tags?: string[];
      original?: string;
    }[];
    assert.deepEqual(
      listed.map(({ tags, original }) => [tags, original]),
      told.snapshots.map(({ from }, at) => [at === 0 ? ['by-restic'] : undefined, from]),
    );
    assert.throws(() => restic(fresh, 'leaked', 'snapshots'));
    // Both go on with it; nobody of ours with the old one.
    writeFileSync(`${tree}/sub/new`, 'new');
    restic(fresh, 'fresh', 'backup', tree);
    assert.equal((await runCommand('backup', tree, ...atNew)).exitCode, 0);
    checkWithRestic(fresh, 'fresh');
    const refused = await runCommand('backup', tree, ...atOld);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /has taken its place/);
    assert.match((await rotate()).stderr, /has taken its place/);
    checkWithRestic(old, 'leaked');
    const removed = await runCommand(
      ...['key', 'remove-replaced', ...atOld, '--new-repo', fresh, '--new-password-file', newPassword],
    );
    assert.equal(removed.exitCode, 0, removed.stderr);
    assert.equal((await runCommand('list', ...atOld)).exitCode, 10);
    checkWithRestic(fresh, 'fresh');
  });

  it('needs another place and another password', async () => {
    using space = scratch();
    const [old, password, another] = [space.path('old'), space.path('password'), space.path('another')];
    writeFileSync(password, 'leaked');
    writeFileSync(another, 'fresh');
    const at = ['--repo', old, '--password-file', password];
    await runCommand('repo', 'init', ...at);
    const rotate = (...argv: readonly string[]) => runCommand('key', 'rotate', '--reencrypt', ...at, ...argv);
    const fresh = space.path('fresh');
    assert.equal((await rotate('--new-repo', fresh, '--new-password-file', password)).exitCode, 2);
    assert.equal((await rotate('--new-password-file', another)).exitCode, 2);
    assert.equal((await rotate('--new-repo', fresh)).exitCode, 2);
    assert.equal((await rotate('--new-repo', old, '--new-password-file', another)).exitCode, 12);
    const within = await rotate('--new-repo', `${old}/stork/new`, '--new-password-file', another);
    assert.match(within.stderr, /Another repository lies within this one: stork\/new\/config/);
  });
});
