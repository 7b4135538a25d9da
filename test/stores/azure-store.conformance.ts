/** The Azure store on Microsoft's emulator (azurite): the suite, and what is Azure's own. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { type AzureStoreOptions, azureStore } from '../../agent/repository/store/azure-store.ts';
import { describeStore, fails, idOf, sampleBytes } from '../../agent/repository/store/testing/store-suite.ts';
import { type AzureServer, startAzurite } from './azurite.ts';
import { flippingProxy } from './flipping-proxy.ts';

const mebibyte = 1024 * 1024;

async function startWithContainer(): Promise<AzureServer> {
  const server = await startAzurite();
  const { account, key } = server.credentials;
  const credential = new StorageSharedKeyCredential(account, key);
  await new ContainerClient(`${server.endpoint}/backups`, credential).create();
  return server;
}

const storeOf = ({ endpoint, credentials }: AzureServer, changes: Partial<AzureStoreOptions> = {}) =>
  azureStore({
    ...{ endpoint, credentials, container: 'backups', prefix: 'some/where', description: 'azure' },
    ...{ blocksFromBytes: 2 * mebibyte, blockBytes: mebibyte, pageObjects: 10, ...changes },
  });

for (const prefix of ['some/where', ''])
  describeStore(`Azure, ${prefix === '' ? 'whole container' : 'below a prefix'}`, async () => {
    const server = await startWithContainer();
    const again = () => storeOf(server, { prefix });
    return { store: again(), again, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  });

describe('Azure store', () => {
  let server: AzureServer;
  before(async () => {
    server = await startWithContainer();
  });
  after(() => server[Symbol.asyncDispose]());

  it('an upload damaged on the way is refused, leaves nothing, and may be tried again', async () => {
    const bytes = sampleBytes(3 * mebibyte, 50);
    for (const blocksFromBytes of [2 * mebibyte, 64 * mebibyte]) {
      await using proxy = await flippingProxy(server.endpoint, bytes.subarray(mebibyte, mebibyte + 16));
      const endpoint = proxy.endpoint + new URL(server.endpoint).pathname;
      const store = storeOf({ ...server, endpoint }, { blocksFromBytes });
      const name = `data/aa/${idOf(bytes)}`;
      await assert.rejects(store.put(name, bytes), fails('StoreUnavailable', true));
      assert.equal(proxy.flipped(), 1);
      assert.equal(await store.sizeOf(name), undefined);
    }
  });

  it('names a container that does not exist, whatever is asked first', async () => {
    const store = storeOf(server, { container: 'other' });
    await assert.rejects(store.sizeOf('config'), fails('StoreMissing'));
    await assert.rejects(store.get('config'), fails('StoreMissing'));
    await assert.rejects(store.put('config', Buffer.of(1)), fails('StoreMissing'));
    await assert.rejects(store.remove('config'), fails('StoreMissing'));
    await assert.rejects(Array.fromAsync(store.list('data/')), fails('StoreMissing'));
  });

  it('names wrong credentials, and a server that is not there', async () => {
    const key = Buffer.from('wrong').toString('base64');
    const credentials = { ...server.credentials, key };
    await assert.rejects(storeOf(server, { credentials }).put('config', Buffer.of(1)), fails('StoreRefused'));
    const nobody = storeOf(server, { endpoint: 'http://127.0.0.1:9/devstoreaccount1' });
    await assert.rejects(nobody.sizeOf('config'), fails('StoreUnavailable', true));
  });
});
