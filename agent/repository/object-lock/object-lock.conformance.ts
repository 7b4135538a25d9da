/**
 * A repository in a bucket with object lock on a real server (versitygw), and somebody with the agent's own credentials who destroys it:
 * what was there is restored as of the time before. Renewal, expiry, forget and prune beside locks.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectRetentionCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { systemClock } from '../../../kube/clock.ts';
import { type S3Server, startVersitygw } from '../../../test/stores/versitygw.ts';
import { digestOf, scratch } from '../../mover/testing/test-volumes.ts';
import { idOf } from '../format/object-id.ts';
import { ivBytes } from '../format/seal.ts';
import { sealDocument } from '../format/unpacked.ts';
import { byPassphrase } from '../keys/unlock.ts';
import { openRepository } from '../repository.ts';
import { isWorthLocking } from '../store/locked-names.ts';
import { openStore } from '../store/open-store.ts';
import { s3Client } from '../store/s3-client.ts';
import { s3Store } from '../store/s3-store.ts';
import { runCommandIn } from '../testing/run-command.ts';
import { purgeDeleted } from './purge-deleted.ts';

const Bucket = 'backups';
const dayMs = 86_400_000;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let server: S3Server;
let client: S3Client;
before(async () => {
  server = await startVersitygw();
  const { endpoint, credentials } = server;
  client = s3Client({ endpoint, credentials, region: undefined, addressing: 'Path', ca: undefined });
  await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
});
after(() => server[Symbol.asyncDispose]());

interface Place extends Disposable {
  readonly tree: string;
  path(name: string): string;
  /** The command on this repository; its objects are locked for a day. */
  run(...argv: readonly string[]): ReturnType<typeof runCommandIn>;
  /** As `run`, and it went well. */
  ok(...argv: readonly string[]): ReturnType<typeof runCommandIn>;
  /** Of everything that is there now, by its name in the repository. */
  names(): Promise<readonly string[]>;
  keyOf(name: string): string;
  restoresEqual(...options: readonly string[]): Promise<void>;
}

/** A repository of two restore points. Only `repo init` is told of the lock: the repository remembers it. */
async function place(prefix: string, credentials: S3Server['credentials'] = server.credentials): Promise<Place> {
  const space = scratch();
  const [tree, password] = [space.path('tree'), space.path('password')];
  mkdirSync(`${tree}/sub`, { recursive: true });
  writeFileSync(`${tree}/random`, randomBytes(700_000));
  writeFileSync(`${tree}/sub/text`, 'text\n'.repeat(1000));
  writeFileSync(password, 'secret');
  const { accessKeyId, secretAccessKey } = credentials;
  const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const repo = ['--repo', `s3:${server.endpoint}/${Bucket}/${prefix}`, '--password-file', password];
  const run: Place['run'] = (...argv) => {
    return runCommandIn(env, ...argv, ...repo, ...(argv[1] === 'init' ? ['-o', 's3.object-lock=COMPLIANCE:1'] : []));
  };
  const ok: Place['ok'] = async (...argv) => {
    const outcome = await run(...argv);
    assert.equal(outcome.exitCode, 0, `${argv.join(' ')}: ${outcome.stderr}`);
    return outcome;
  };
  let restores = 0;
  await ok('repo', 'init');
  await ok('backup', tree, '--tag', 'first');
  writeFileSync(`${tree}/sub/new`, randomBytes(10_000));
  await ok('backup', tree);
  return {
    ...{ tree, run, ok, path: space.path, keyOf: (name) => `${prefix}/${name}` },
    async names() {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: `${prefix}/` }));
      return Contents.flatMap(({ Key }) => (Key === undefined ? [] : [Key.slice(prefix.length + 1)]));
    },
    async restoresEqual(...options) {
      const target = space.path(`out-${++restores}`);
      await ok('restore', `latest:${tree}`, '--target', target, '--threads', '1', ...options);
      assert.equal((await digestOf(target)).digest, (await digestOf(tree)).digest);
    },
    [Symbol.dispose]: () => space[Symbol.dispose](),
  };
}

/** A time that has all that was done and nothing of what follows, whether the server tells whole seconds or less. */
async function timeBetween(): Promise<string> {
  const second = Math.ceil(Date.now() / 1000) * 1000;
  await sleep(second + 1000 - Date.now());
  return `${new Date(second).toISOString().slice(0, 19)}Z`;
}

const versionsOf = async (Prefix: string) => {
  const { Versions = [], DeleteMarkers = [] } = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix }));
  return { versions: Versions, deletions: DeleteMarkers };
};

async function retentionOf(Key: string): Promise<Date> {
  const { versions } = await versionsOf(Key);
  const VersionId = versions.at(-1)?.VersionId;
  const { Retention } = await client.send(new GetObjectRetentionCommand({ Bucket, Key, VersionId }));
  assert.ok(Retention?.RetainUntilDate !== undefined);
  return Retention.RetainUntilDate;
}

/** What somebody can do who has the agent's credentials: removes the object and every version of it that may be removed. */
async function destroy(Key: string): Promise<void> {
  await client.send(new DeleteObjectCommand({ Bucket, Key }));
  const { versions } = await versionsOf(Key);
  for (const { VersionId } of versions) {
    await assert.rejects(client.send(new DeleteObjectCommand({ Bucket, Key, VersionId })), { name: 'AccessDenied' });
    const both = new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key, VersionId }] } });
    assert.equal((await client.send(both)).Errors?.[0]?.Code, 'AccessDenied');
    const Retention = { Mode: 'COMPLIANCE', RetainUntilDate: new Date(Date.now() + 3_600_000) } as const;
    const shorten = new PutObjectRetentionCommand({ Bucket, Key, VersionId, Retention });
    await assert.rejects(client.send(shorten), { name: 'AccessDenied' });
  }
}

const overwrite = async (Key: string) => {
  await client.send(new PutObjectCommand({ Bucket, Key, Body: randomBytes(500) }));
};

const writing = ['GetObject', 'PutObject', 'DeleteObject', 'AbortMultipartUpload'];
const kinds = ['config', 'keys/', 'stork/keys/', 'snapshots/', 'index/', 'data/', 'stork/manifests/'] as const;

/** A key slot of ours, and a manifest, which applications' backups will write. */
async function addSideObjects({ ok, path, keyOf }: Place): Promise<void> {
  writeFileSync(path('other'), 'other secret');
  await ok('key', 'add', '--new-password-file', path('other'));
  const { accessKeyId, secretAccessKey } = server.credentials;
  const store = await openStore(`s3:${server.endpoint}/${Bucket}/${keyOf('').slice(0, -1)}`, {
    env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
    ...{ clock: systemClock(), random: () => 0, uniqueName: () => 'x' },
    settings: { 's3.object-lock': 'COMPLIANCE:1' },
  });
  const { key } = await openRepository(store, byPassphrase('secret'), randomBytes);
  const manifest = sealDocument(key, JSON.stringify({ trees: [] }), randomBytes(ivBytes));
  await store.put(`stork/manifests/${idOf(manifest)}`, manifest);
}

describe('a repository in a bucket with object lock', () => {
  it('is restored equal as of the time before objects of any kind were deleted, overwritten, or both', async () => {
    using at = await place('attacked');
    await addSideObjects(at);
    const names = (await at.names()).filter(isWorthLocking);
    const time = await timeBetween();
    for (const kind of kinds) {
      const those = names.filter((name) => name.startsWith(kind));
      assert.ok(those.length > 0, kind);
      for (const name of those) await destroy(at.keyOf(name));
      await at.restoresEqual('--as-of', time);
    }
    assert.equal((await at.run('list')).exitCode, 10, 'nothing of it is left now');
    for (const kind of kinds) {
      for (const name of names.filter((one) => one.startsWith(kind))) await overwrite(at.keyOf(name));
      if (kind === 'config' || kind === 'data/') await at.restoresEqual('--as-of', time);
    }
    assert.notEqual((await at.run('list')).exitCode, 0);
    for (const name of names) await client.send(new DeleteObjectCommand({ Bucket, Key: at.keyOf(name) }));
    await at.restoresEqual('--as-of', time);
    await checkReaders(at, time);
  });

  /** Every command that reads, at the time before. */
  async function checkReaders({ ok, run, tree }: Place, time: string): Promise<void> {
    const listed: unknown = JSON.parse((await ok('list', '--json', '--as-of', time)).stdout.toString());
    assert.ok(Array.isArray(listed));
    assert.equal(listed.length, 2);
    const checked = await ok('verify', '--read-data', '--as-of', time);
    assert.match(checked.stdout.toString(), /No damage found/);
    assert.match((await ok('browse', 'latest', tree, '-R', '--as-of', time)).stdout.toString(), /sub\/new/);
    const dumped = await ok('dump', 'latest', `${tree}/sub/text`, '--as-of', time);
    assert.equal(dumped.stdout.toString(), 'text\n'.repeat(1000));
    const changed = await ok('diff', listed[0].id, listed[1].id, '--as-of', time);
    assert.match(changed.stdout.toString(), new RegExp(`\\+ ${tree}/sub/new`));
    assert.equal((await run('verify', '--repair', '--apply', '--as-of', time)).exitCode, 2);
    assert.equal((await run('backup', tree, '--as-of', time)).exitCode, 2, 'only readers have a past');
  }

  it('forgets and prunes: what is deleted stays until its lock ends, and prune says so', async () => {
    using at = await place('pruned');
    writeFileSync(`${at.tree}/random`, randomBytes(100_000));
    const time = await timeBetween();
    const before = await at.names();
    writeFileSync(`${at.tree}/later`, 'later');
    await at.ok('backup', at.tree);
    await at.ok('forget', '--keep-last', '1');
    const pruned = await at.ok('prune', '--min-wait', '0');
    const said = pruned.stdout.toString();
    assert.match(said, /^deleted [1-9]\d* packs/m);
    assert.match(said, /the bucket keeps versions: deleted objects still take [1-9]/);
    assert.match(said, /are locked; the last lock ends 20\d\d-/);
    const gone = before.filter((name) => name.startsWith('data/'));
    const now = await at.names();
    assert.ok(gone.some((name) => !now.includes(name)));
    assert.ok(!now.includes('stork/reserve'), 'there is nothing to give away where versions are kept');
    // As an attacker's, or after a mistake: all of the lock's time long both points are there.
    const listed: unknown = JSON.parse((await at.ok('list', '--json', '--as-of', time)).stdout.toString());
    assert.ok(Array.isArray(listed) && listed.length === 2);
    assert.match((await at.ok('verify', '--read-data', '--as-of', time)).stdout.toString(), /No damage found/);
    const purged = await at.ok('prune', '--purge-deleted', '0h', '--json');
    const { versions } = JSON.parse(purged.stdout.toString());
    assert.ok(versions.purged.versions > 0, 'locks of those who worked are not locked');
    assert.ok(versions.locked.versions > 0);
    assert.deepEqual(versions.unlocked, { versions: 0, bytes: 0 });
    for (const name of before.filter(isWorthLocking)) assert.ok((await versionsOf(at.keyOf(name))).versions.length > 0);
    assert.match((await at.ok('verify', '--read-data', '--as-of', time)).stdout.toString(), /No damage found/);
    await at.restoresEqual();
  });

  it('renews the locks of what is needed, old packs of new restore points among them, once and never shorter', async () => {
    using at = await place('renewed');
    const names = (await at.names()).filter(isWorthLocking);
    const soon = new Date(Date.now() + 2 * dayMs);
    for (const name of names) assert.ok((await retentionOf(at.keyOf(name))) < soon);
    const renew = ['repo', 'renew-locks', '--json', '--days'] as const;
    const planned = JSON.parse((await at.ok(...renew, '30', '--within', '10', '--dry-run')).stdout.toString());
    const renewed = JSON.parse((await at.ok(...renew, '30', '--within', '10')).stdout.toString());
    assert.deepEqual([planned.extended, renewed.extended, renewed.locked], [names.length, names.length, 0]);
    const late = new Date(Date.now() + 29 * dayMs);
    assert.ok(new Date(renewed.lockedUntil) > late);
    for (const name of names) assert.ok((await retentionOf(at.keyOf(name))) > late, name);
    for (const terms of [
      ['30', '--within', '10'],
      ['2', '--within', '1'],
    ]) {
      const again = JSON.parse((await at.ok(...renew, ...terms)).stdout.toString());
      assert.deepEqual(again, { ...renewed, extended: 0 });
    }
    assert.equal((await at.run('repo', 'renew-locks')).exitCode, 2);
    assert.equal((await at.run('repo', 'renew-locks', '--days', '5', '--within', '6')).exitCode, 2);
  });

  it('renews the right version of packs that somebody overwrote or deleted, and says so', async () => {
    using at = await place('renewed-attacked');
    const packs = (await at.names()).filter((name) => name.startsWith('data/'));
    const [first = '', second = ''] = packs;
    await overwrite(at.keyOf(first));
    await client.send(new DeleteObjectCommand({ Bucket, Key: at.keyOf(second) }));
    const renewed = await at.run('repo', 'renew-locks', '--days', '30');
    assert.equal(renewed.exitCode, 3);
    assert.match(renewed.stderr, new RegExp(`${first}: somebody overwrote it`));
    assert.match(renewed.stderr, new RegExp(`${second}: somebody deleted it`));
    const late = new Date(Date.now() + 29 * dayMs);
    for (const name of packs) assert.ok((await retentionOf(at.keyOf(name))) > late, name);
  });

  it('needs the rights that docs/repository-care.md tells, and no more', async () => {
    const agent = await server.addAccount('agent');
    const [objects, bucket] = [[`arn:aws:s3:::${Bucket}/limited/*`], [`arn:aws:s3:::${Bucket}`]];
    const allow = (actions: readonly string[], Resource: readonly string[]) => ({
      ...{ Effect: 'Allow', Principal: { AWS: ['agent'] }, Resource },
      Action: actions.map((action) => `s3:${action}`),
    });
    const allowed = (bucketActions: readonly string[], objectActions: readonly string[]) =>
      client.send(
        new PutBucketPolicyCommand({
          Bucket,
          Policy: JSON.stringify({
            Version: '2012-10-17',
            Statement: [allow(bucketActions, bucket), allow(objectActions, objects)],
          }),
        }),
      );
    await allowed(['ListBucket', 'ListBucketMultipartUploads'], [...writing, 'PutObjectRetention']);
    using at = await place('limited', agent);
    assert.equal((await at.run('repo', 'renew-locks', '--days', '30')).exitCode, 1);
    await at.ok('forget', '--keep-last', '1');
    const blind = await at.ok('prune', '--min-wait', '0');
    assert.match(blind.stdout.toString(), /whether this bucket keeps what was deleted.* is not known/);
    const inspecting = ['ListBucket', 'ListBucketMultipartUploads', 'ListBucketVersions', 'GetBucketVersioning'];
    await allowed(inspecting, [...writing, 'PutObjectRetention', 'GetObjectRetention', 'GetObjectVersion']);
    await at.ok('backup', at.tree);
    await at.ok('repo', 'renew-locks', '--days', '30');
    const pruned = await at.ok('prune', '--min-wait', '0');
    assert.match(pruned.stdout.toString(), /deleted objects still take/);
    const purging = await at.run('prune', '--purge-deleted', '0h');
    assert.equal(purging.exitCode, 1, 'that right is not among them');
    assert.match(purging.stderr, /StoreRefused|AccessDenied/);
    const time = await timeBetween();
    for (const name of await at.names()) await client.send(new DeleteObjectCommand({ Bucket, Key: at.keyOf(name) }));
    await allowed(['ListBucket', 'ListBucketVersions', 'GetBucketVersioning'], ['GetObject', 'GetObjectVersion']);
    await at.restoresEqual('--as-of', time);
  });

  it('remembers its lock for every command that writes, and writes nothing when it can not be read', async () => {
    using at = await place('remembered');
    const before = await at.names();
    for (const name of before.filter(isWorthLocking)) assert.ok((await retentionOf(at.keyOf(name))) > new Date(), name);
    const added = async () => (await at.names()).filter((name) => !before.includes(name) && isWorthLocking(name));
    await at.ok('backup', at.tree, '-o', 's3.object-lock=none');
    for (const name of await added()) await assert.rejects(retentionOf(at.keyOf(name)), name);
    const another = async (name: string) => {
      writeFileSync(at.path(name), name);
      return await at.run('key', 'add', '--new-password-file', at.path(name));
    };
    await at.ok('repo', 'set', '-o', 's3.object-lock=GOVERNANCE:3');
    assert.equal((await another('second')).exitCode, 0);
    const [slot = ''] = (await added()).filter((name) => name.startsWith('stork/keys/'));
    assert.ok((await retentionOf(at.keyOf(slot))) > new Date(Date.now() + 2 * dayMs));
    const [settings = '', ...others] = (await at.names()).filter((name) => name.startsWith('stork/settings/'));
    assert.deepEqual(others, []);
    const assertRefused = async () => {
      const refused = await another('third');
      assert.equal(refused.exitCode, 1);
      assert.match(refused.stderr, /How long this repository locks its objects can't be read, so nothing is written/);
      await at.restoresEqual();
    };
    await overwrite(at.keyOf(settings));
    await assertRefused();
    await client.send(new DeleteObjectCommand({ Bucket, Key: at.keyOf(settings) }));
    await assertRefused();
    const checked = await at.run('verify');
    assert.equal(checked.exitCode, 3);
    assert.match(checked.stdout.toString(), new RegExp(`damaged  ${settings}: .*object lock GOVERNANCE:3`));
    await at.ok('repo', 'set', '-o', 's3.object-lock=COMPLIANCE:1');
    assert.equal((await another('third')).exitCode, 0);
  });

  it('lets go of what was deleted when its lock has ended, and not before', async () => {
    // The store believes that it is a day earlier, so that a lock of a day ends in a few seconds.
    const now = () => new Date(Date.now() - dayMs + 5000);
    const objectLock = { mode: 'COMPLIANCE', days: 1 } as const;
    const store = s3Store({
      client,
      ca: undefined,
      bucket: Bucket,
      prefix: 'expiring',
      description: 's3',
      now,
      objectLock,
    });
    const { versions } = store;
    assert.ok(versions !== undefined);
    const bytes = randomBytes(1000);
    const name = `index/${idOf(bytes)}`;
    await store.put(name, bytes);
    const [version] = await versions.of(name);
    assert.ok(version !== undefined);
    const lock = await versions.lockOf(name, version.id);
    assert.ok(lock !== undefined);
    await store.remove(name);
    const before = await purgeDeleted(versions, { now: version.madeAt, deletedBefore: new Date() });
    assert.deepEqual([before.purged.versions, before.locked.versions, before.lockedUntil], [0, 1, lock.until]);
    await sleep(Math.max(0, lock.until.getTime() - Date.now()) + 1000);
    const told = await purgeDeleted(versions, { now: new Date(), deletedBefore: undefined });
    assert.deepEqual([told.purged.versions, told.unlocked], [0, { versions: 1, bytes: 1000 }]);
    const young = await purgeDeleted(versions, { now: new Date(), deletedBefore: version.madeAt });
    assert.equal(young.purged.versions, 0, 'it was deleted later than that');
    const purged = await purgeDeleted(versions, { now: new Date(), deletedBefore: new Date() });
    assert.deepEqual(purged.purged, { versions: 1, bytes: 1000 });
    assert.deepEqual(await versions.of(name), [], 'and nothing comes back');
  });
});
