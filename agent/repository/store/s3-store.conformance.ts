/** The S3 store on a real server (versitygw): the suite, and what is S3's own. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
} from '@aws-sdk/client-s3';
import { flippingProxy } from '../../../test/stores/flipping-proxy.ts';
import { type S3Server, startVersitygw } from '../../../test/stores/versitygw.ts';
import { type S3ClientOptions, s3Client } from './s3-client.ts';
import { type S3StoreOptions, s3Store } from './s3-store.ts';
import { describeStore, fails, idOf, sampleBytes } from './testing/store-suite.ts';

const mebibyte = 1024 * 1024;

const clientOf = (server: S3Server, changes: Partial<S3ClientOptions> = {}) =>
  s3Client({
    ...{ endpoint: server.endpoint, credentials: server.credentials },
    ...{ region: undefined, addressing: 'Path', ca: undefined, ...changes },
  });

const storeOf = (client: S3StoreOptions['client'], changes: Partial<S3StoreOptions> = {}) =>
  s3Store({
    ...{ client, ca: undefined, bucket: 'backups', prefix: 'some/where', description: 's3', now: () => new Date() },
    ...{ multipartFromBytes: 6 * mebibyte, partBytes: 5 * mebibyte, pageObjects: 10, ...changes },
  });

for (const [kind, prefix, speaks] of [
  ['S3, in parts', 'some/where', 'HTTP'],
  ['S3, whole bucket, TLS with an authority of its own', '', 'TLS'],
] as const)
  describeStore(
    kind,
    async () => {
      const server = await startVersitygw(speaks);
      const ca = server.caFile === undefined ? undefined : await readFile(server.caFile, 'utf8');
      const client = clientOf(server, { ca });
      await client.send(new CreateBucketCommand({ Bucket: 'backups' }));
      const again = () => storeOf(client, { prefix, ca });
      return { store: again(), again, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
    },
    { largeBytes: 12 * mebibyte },
  );

describe('S3 store', () => {
  let server: S3Server;
  before(async () => {
    server = await startVersitygw();
    await clientOf(server).send(new CreateBucketCommand({ Bucket: 'backups', ObjectLockEnabledForBucket: true }));
  });
  after(() => server[Symbol.asyncDispose]());

  it('an upload damaged on the way is refused, leaves nothing, and may be tried again', async () => {
    const bytes = sampleBytes(7 * mebibyte, 50);
    for (const multipartFromBytes of [6 * mebibyte, 64 * mebibyte]) {
      await using proxy = await flippingProxy(server.endpoint, bytes.subarray(2 * mebibyte, 2 * mebibyte + 16));
      const store = storeOf(clientOf(server, { endpoint: proxy.endpoint }), { multipartFromBytes });
      const name = `data/aa/${idOf(bytes)}`;
      await assert.rejects(store.put(name, bytes), fails('StoreUnavailable', true));
      assert.equal(proxy.flipped(), 1);
      assert.equal(await store.sizeOf(name), undefined);
      assert.equal(await store.removeLeftovers(new Date('2100-01-01T00:00:00Z')), 0);
    }
  });

  it('bytes that are not what their name says never arrive', async () => {
    const name = `index/${idOf(Buffer.of(1))}`;
    const store = storeOf(clientOf(server));
    await assert.rejects(store.put(name, Buffer.of(2)), fails('StoreUnavailable', true));
    assert.equal(await store.sizeOf(name), undefined);
  });

  it('names a bucket that does not exist, whatever is asked first', async () => {
    const store = storeOf(clientOf(server), { bucket: 'other' });
    await assert.rejects(store.sizeOf('config'), fails('StoreMissing'));
    await assert.rejects(store.get('config'), fails('StoreMissing'));
    await assert.rejects(store.put('config', Buffer.of(1)), fails('StoreMissing'));
    await assert.rejects(Array.fromAsync(store.list('data/')), fails('StoreMissing'));
  });

  it('names wrong credentials, and a server that is not there', async () => {
    const credentials = { ...server.credentials, secretAccessKey: 'wrong' };
    await assert.rejects(storeOf(clientOf(server, { credentials })).put('config', Buffer.of(1)), fails('StoreRefused'));
    const nobody = clientOf(server, { endpoint: 'http://127.0.0.1:9' });
    await assert.rejects(storeOf(nobody).sizeOf('config'), fails('StoreUnavailable', true));
  });

  it('names a certificate that is not trusted', async () => {
    await using secure = await startVersitygw('TLS');
    await assert.rejects(storeOf(clientOf(secure)).sizeOf('config'), fails('StoreRefused'));
  });

  it('removes uploads that were never ended, once they are old', async () => {
    const client = clientOf(server);
    const store = storeOf(client);
    await client.send(new CreateMultipartUploadCommand({ Bucket: 'backups', Key: 'some/where/data/aa/x' }));
    await client.send(new CreateMultipartUploadCommand({ Bucket: 'backups', Key: 'elsewhere/x' }));
    assert.equal(await store.removeLeftovers(new Date('2020-01-01T00:00:00Z')), 0);
    assert.equal(await store.removeLeftovers(new Date('2100-01-01T00:00:00Z')), 1);
    assert.equal(await store.removeLeftovers(new Date('2100-01-01T00:00:00Z')), 0);
  });

  it('locks objects for the time asked, all but those below locks/', async () => {
    const client = clientOf(server);
    const now = new Date('2090-01-01T00:00:00Z');
    const options = { objectLock: { mode: 'GOVERNANCE', days: 3 }, prefix: 'locked', now: () => now } as const;
    const store = storeOf(client, options);
    const large = sampleBytes(7 * mebibyte, 51);
    for (const [name, bytes] of [
      ['index/x', Buffer.of(1)],
      [`data/aa/${idOf(large)}`, large],
    ] as const) {
      await store.put(name, bytes);
      const asked = new GetObjectRetentionCommand({ Bucket: 'backups', Key: `locked/${name}` });
      const { Retention } = await client.send(asked);
      assert.equal(Retention?.Mode, 'GOVERNANCE');
      assert.equal(Retention.RetainUntilDate?.toISOString(), '2090-01-04T00:00:00.000Z');
    }
    await store.put('locks/x', Buffer.of(1));
    const unlocked = new HeadObjectCommand({ Bucket: 'backups', Key: 'locked/locks/x' });
    assert.equal((await client.send(unlocked)).ObjectLockMode, undefined);
  });

  for (const speaks of ['HTTP', 'TLS'] as const)
    it(`asks for parts of objects without the SDK once that has shown how, over ${speaks}`, async () => {
      await using own = speaks === 'TLS' ? await startVersitygw(speaks) : undefined;
      const { caFile } = own ?? server;
      const ca = caFile === undefined ? undefined : await readFile(caFile, 'utf8');
      const client = clientOf(own ?? server, { ca });
      if (own !== undefined) await client.send(new CreateBucketCommand({ Bucket: 'backups' }));
      let bySdk = 0;
      const store = storeOf(client, { ca, prefix: 'with a space/and+more', multipartFromBytes: 64 * mebibyte });
      const bytes = sampleBytes(9 * mebibyte, 52);
      const name = `data/aa/${idOf(bytes)}`;
      await store.put(name, bytes);
      client.middlewareStack.add(
        (next) => (args) => {
          bySdk++;
          return next(args);
        },
        { step: 'initialize', name: 'counted' },
      );
      assert.deepEqual(await store.get(name, { offset: 1, length: 2 }), bytes.subarray(1, 3));
      assert.equal(bySdk, 1);
      const ranges = [0, 1, 2, 3].map((at) => ({ offset: at * mebibyte + at, length: 5 * mebibyte + 1 }));
      for (const parts of [ranges, ranges.toReversed()]) {
        const got = await Promise.all(parts.map((range) => store.get(name, range)));
        for (const [at, { offset, length }] of parts.entries())
          assert.ok(got[at]?.equals(bytes.subarray(offset, offset + length)));
      }
      assert.equal(bySdk, 1);
      await assert.rejects(store.get(name, { offset: bytes.length - 1, length: 2 }), fails('ObjectTooShort'));
      await assert.rejects(store.get(name, { offset: bytes.length, length: 2 }), fails('ObjectTooShort'));
      assert.equal(bySdk, 3);
      assert.equal((await store.get(name, { offset: 5, length: 7 })).length, 7);
      await assert.rejects(store.get('data/aa/none', { offset: 0, length: 2 }), fails('ObjectMissing'));
      assert.equal(bySdk, 4);
      const stop = new AbortController();
      const reading = store.get(name, { offset: 0, length: bytes.length }, stop.signal);
      stop.abort(new Error('enough'));
      await assert.rejects(reading, /enough/);
      // Whoever always answers otherwise is asked by the SDK alone: three times by both, then by one.
      for (let at = 0; at < 4; at++) await assert.rejects(store.get('data/aa/none', { offset: 0, length: 2 }));
      assert.equal((await store.get(name, { offset: 5, length: 7 })).length, 7);
      assert.equal(bySdk, 9);
    });

  it('ignores what other tools make for directories', async () => {
    const store = storeOf(clientOf(server), { prefix: 'folders' });
    await store.put('data/aa/x', Buffer.of(1));
    assert.deepEqual(
      (await Array.fromAsync(store.list(''))).map(({ name }) => name),
      ['data/aa/x'],
    );
  });
});
