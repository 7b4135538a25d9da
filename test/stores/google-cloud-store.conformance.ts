/** The store for Google Cloud on an emulator (fake-gcs-server): the suite, and what is its own. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type GoogleCloudStoreOptions, googleCloudStore } from '../../agent/repository/store/google-cloud-store.ts';
import { describeStore, fails, idOf, sampleBytes } from '../../agent/repository/store/testing/store-suite.ts';
import { type GoogleCloudServer, startFakeGcs } from './fake-gcs.ts';
import { flippingProxy } from './flipping-proxy.ts';

async function startWithBucket(): Promise<GoogleCloudServer> {
  const server = await startFakeGcs();
  await server.makeBucket('backups');
  return server;
}

const storeOf = ({ endpoint }: { readonly endpoint: string }, changes: Partial<GoogleCloudStoreOptions> = {}) =>
  googleCloudStore({
    ...{ endpoint, credentials: 'None', bucket: 'backups', prefix: 'some/where', description: 'gs' },
    ...{ pageObjects: 10, ...changes },
  });

for (const prefix of ['some/where', ''])
  describeStore(`Google Cloud, ${prefix === '' ? 'whole bucket' : 'below a prefix'}`, async () => {
    const server = await startWithBucket();
    const again = () => storeOf(server, { prefix });
    return { store: again(), again, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  });

describe('Google Cloud store', () => {
  let server: GoogleCloudServer;
  before(async () => {
    server = await startWithBucket();
  });
  after(() => server[Symbol.asyncDispose]());

  it('an upload damaged on the way is refused, leaves nothing, and may be tried again', async () => {
    const bytes = sampleBytes(300_000, 50);
    await using proxy = await flippingProxy(server.endpoint, bytes.subarray(1000, 1016));
    const name = `data/aa/${idOf(bytes)}`;
    await assert.rejects(storeOf(proxy).put(name, bytes), fails('StoreUnavailable', true));
    assert.equal(proxy.flipped(), 1);
    assert.equal(await storeOf(server).sizeOf(name), undefined);
  });

  it('names a bucket that does not exist, whatever is asked first', async () => {
    const store = storeOf(server, { bucket: 'other' });
    await assert.rejects(store.sizeOf('config'), fails('StoreMissing'));
    await assert.rejects(store.get('config'), fails('StoreMissing'));
    await assert.rejects(store.put('config', Buffer.of(1)), fails('StoreMissing'));
    await assert.rejects(store.remove('config'), fails('StoreMissing'));
    await assert.rejects(Array.fromAsync(store.list('data/')), fails('StoreMissing'));
  });

  it('names a server that is not there', async () => {
    await assert.rejects(storeOf({ endpoint: 'http://127.0.0.1:9' }).sizeOf('config'), fails('StoreUnavailable', true));
  });
});
