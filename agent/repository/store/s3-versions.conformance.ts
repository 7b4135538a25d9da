/** Versions and locks of a bucket on a real server (versitygw): the suite, and buckets that have neither. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { CreateBucketCommand, PutBucketVersioningCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { systemClock } from '../../../kube/clock.ts';
import { type S3Server, startVersitygw } from '../../../test/stores/versitygw.ts';
import { scratch } from '../../mover/testing/test-volumes.ts';
import { asOfStore } from './as-of-store.ts';
import { limitStore } from './limit-store.ts';
import type { ObjectStore } from './object-store.ts';
import { openStore } from './open-store.ts';
import { retryStore } from './retry-store.ts';
import { s3Client } from './s3-client.ts';
import { type S3StoreOptions, s3Store } from './s3-store.ts';
import { instantClock } from './testing/instant-clock.ts';
import { fails, idOf } from './testing/store-suite.ts';
import { describeVersions } from './testing/versions-suite.ts';

const clientOf = ({ endpoint, credentials }: S3Server) =>
  s3Client({ endpoint, credentials, region: undefined, addressing: 'Path', ca: undefined });

const storeOf = (server: S3Server, bucket: string, more: Partial<S3StoreOptions> = {}) => {
  const place = { bucket, prefix: 'some/where', description: 's3', pageObjects: 4, ...more };
  return s3Store({ ...place, client: clientOf(server), ca: undefined, now: () => new Date() });
};

function withVersions(store: ObjectStore) {
  const { versions } = store;
  assert.ok(versions !== undefined);
  return { ...store, versions };
}

for (const [kind, decorate] of [
  ['S3', (store: ObjectStore) => store],
  [
    'S3, limited and retried',
    (store: ObjectStore) =>
      retryStore(limitStore(store, { requestsAtOnce: 2 }, instantClock()), { clock: instantClock(), random: () => 0 }),
  ],
] as const)
  describeVersions(kind, async () => {
    const server = await startVersitygw();
    const client = clientOf(server);
    await client.send(new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }));
    const overwrite = async (name: string, Body: Uint8Array) => {
      await client.send(new PutObjectCommand({ Bucket: 'locked', Key: `some/where/${name}`, Body }));
    };
    return {
      store: withVersions(decorate(storeOf(server, 'locked'))),
      overwrite,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });

describe('a bucket as of a time', () => {
  it('asks no cache, which knows the present only', async () => {
    await using server = await startVersitygw();
    await clientOf(server).send(new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }));
    using space = scratch();
    const { accessKeyId, secretAccessKey } = server.credentials;
    const open = (asOf?: Date) =>
      openStore(`s3:${server.endpoint}/locked/repository`, {
        env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
        ...{ clock: systemClock(), random: () => 0, uniqueName: randomUUID },
        ...{ cache: { directory: space.path('cache') }, asOf },
      });
    const bytes = Buffer.from('an index');
    const name = `index/${idOf(bytes)}`;
    const store = await open();
    await store.put(name, bytes);
    await store.remove(name);
    const past = await open(new Date());
    assert.deepEqual(await past.get(name), bytes);
    assert.deepEqual(await past.page('index/'), { objects: [], next: undefined });
    await assert.rejects(store.get(name), fails('ObjectMissing'));
  });
});

describe('S3 buckets without', () => {
  let server: S3Server;
  before(async () => {
    server = await startVersitygw();
    for (const Bucket of ['plain', 'versioned']) await clientOf(server).send(new CreateBucketCommand({ Bucket }));
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    await clientOf(server).send(new PutBucketVersioningCommand({ Bucket: 'versioned', VersioningConfiguration }));
  });
  after(() => server[Symbol.asyncDispose]());

  it('versions have no past to look at, and say so', async () => {
    const store = withVersions(storeOf(server, 'plain'));
    await store.put('config', Buffer.of(1));
    assert.equal(await store.versions.areKept(), 'No');
    await assert.rejects(asOfStore(store, new Date()).get('config'), fails('VersionsMissing'));
    await assert.rejects(withVersions(storeOf(server, 'absent')).versions.areKept(), fails('StoreMissing'));
  });

  it('object lock refuse one by its name', async () => {
    const store = withVersions(storeOf(server, 'versioned'));
    await store.put('config', Buffer.of(1));
    assert.equal(await store.versions.areKept(), 'Yes');
    const [version] = await store.versions.of('config');
    assert.ok(version !== undefined);
    const until = new Date(Date.now() + 60_000);
    const locking = store.versions.lock('config', version.id, { mode: 'GOVERNANCE', until });
    await assert.rejects(locking, (error) => fails('StoreRefused')(error) && /no object lock/.test(String(error)));
  });

  for (const bucket of ['versioned', 'plain'])
    it(`object lock refuse what asks for it, and say how to get one and how to do without: ${bucket}`, async () => {
      const lock = { mode: 'GOVERNANCE', days: 1 } as const;
      for (const whole of [{}, { multipartFromBytes: 1 }]) {
        const store = storeOf(server, bucket, { objectLock: lock, ...whole });
        await assert.rejects(store.put(`data/${idOf(Buffer.of(1, 2))}`, Buffer.of(1, 2)), {
          code: 'StoreRefused',
          message: `The store refuses: the bucket ${bucket} has no object lock`,
          hint: /create-bucket .*--object-lock-enabled-for-bucket.*versioned.*leave out -o s3\.object-lock/,
        });
      }
    });
});
