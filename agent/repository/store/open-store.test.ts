import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { manualClock, systemClock } from '../../../kube/clock.ts';
import { renderError, StorkError } from '../../../kube/errors.ts';
import { newTls } from '../serve/testing/serve.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { faultyStore } from './faulty-store.ts';
import { openStore } from './open-store.ts';
import { parseStoreSettings } from './store-settings.ts';
import { instantClock } from './testing/instant-clock.ts';
import { describeStore, idOf, sampleBytes } from './testing/store-suite.ts';

const random = () => 0.5;
const options = { env: {}, clock: systemClock(), random, uniqueName: randomUUID };
const clock = { ...manualClock(), ...instantClock() };

async function emptyDirectory() {
  const root = await mkdtemp(join(tmpdir(), 'stork-store-'));
  return { root, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}

/** Answers that there is no such blob, over TLS. */
async function azureWithoutBlobs() {
  const { key, certificate, authority } = newTls();
  const server = createServer({ key, cert: certificate }, (_, answer) =>
    answer.writeHead(404, { 'x-ms-error-code': 'BlobNotFound' }).end(),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const at = server.address();
  const port = typeof at === 'object' ? at?.port : undefined;
  return {
    url: `https://localhost:${port}`,
    authority,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const says = (code: string, text: RegExp) => (error: unknown) =>
  error instanceof StorkError && error.code === code && text.test(renderError(error));

describeStore(
  'a directory as commands open it, with a cache, 10 % of requests failing',
  async () => {
    const directory = await emptyDirectory();
    const at = (name: string) => join(directory.root, name);
    const base = await openStore(at('repository'), {
      ...{ ...options, clock, cache: { directory: at('cache') } },
      wrapBare: (store) => faultyStore(store, { random: seededRandom(4), clock, rate: 0.1 }),
    });
    const second = await openStore(at('repository'), options);
    return { store: base, again: () => second, [Symbol.asyncDispose]: directory[Symbol.asyncDispose] };
  },
  { pages: false },
);

describe('opening a store', () => {
  it('counts real requests, tells of retries, and serves from the cache afterwards', async () => {
    await using directory = await emptyDirectory();
    const bytes = sampleBytes(100);
    const name = `index/${idOf(bytes)}`;
    const operations: string[] = [];
    let retries = 0;
    const open = () =>
      openStore(join(directory.root, 'repository'), {
        ...{ ...options, clock, cache: { directory: join(directory.root, 'cache') } },
        onRequest: ({ operation, result }) => operations.push(`${operation} ${result}`),
        onRetry: () => retries++,
        wrapBare: (store) => {
          const draws = [0, 0, 1];
          const first = () => draws.shift() ?? 1;
          return faultyStore(store, { random: first, clock, rate: 0.5, kinds: ['LoseRequest'] });
        },
      });
    await (await open()).put(name, bytes);
    assert.deepEqual(operations, ['put StoreUnavailable', 'put ok']);
    assert.equal(retries, 1);
    assert.deepEqual(await (await open()).get(name), bytes);
    assert.equal(operations.length, 2);
  });

  it('says what a cloud store is, and asks it nothing', async () => {
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'verysecret' };
    const store = await openStore('s3:http://127.0.0.1:9/bucket/p', { ...options, env });
    assert.equal(store.description, 's3:http://127.0.0.1:9/bucket/p');
  });

  it('names what is missing to reach an account of Azure', async () => {
    const open = (env: Readonly<Record<string, string>>) => openStore('azure:con:/p', { ...options, env });
    await assert.rejects(open({}), says('StoreRefused', /no account.*\n.*AZURE_ACCOUNT_NAME/));
    await assert.rejects(open({ AZURE_ACCOUNT_NAME: 'x' }), says('StoreRefused', /no credentials/));
    const store = await open({ AZURE_ACCOUNT_NAME: 'x', AZURE_ACCOUNT_SAS: '?sv=1&sig=verysecret' });
    assert.equal(store.description, 'azure:con:/p');
  });

  it('refuses options it does not know, wrong values, and options of another kind, by name', async () => {
    assert.throws(
      () => parseStoreSettings(['s3.colour=red']),
      says('StoreSettingInvalid', /s3\.colour.*\n.*s3\.region/),
    );
    assert.throws(() => parseStoreSettings(['s3.region']), says('StoreSettingInvalid', /s3\.region takes a region/));
    assert.throws(() => parseStoreSettings(['s3.object-lock=3']), says('StoreSettingInvalid', /GOVERNANCE:DAYS/));
    assert.throws(() => parseStoreSettings(['s3.connections=0']), says('StoreSettingInvalid', /1 to 64/));
    const settings = parseStoreSettings(['s3.region=eu-west-1', 's3.object-lock=COMPLIANCE:30']);
    await assert.rejects(openStore('/srv/x', { ...options, settings }), says('StoreSettingInvalid', /s3\.region/));
    assert.deepEqual(settings, { 's3.region': 'eu-west-1', 's3.object-lock': 'COMPLIANCE:30' });
  });

  it('trusts a server of Azure by the authorities that are named, and no other', async () => {
    await using directory = await emptyDirectory();
    await using server = await azureWithoutBlobs();
    const caFile = join(directory.root, 'ca.pem');
    await writeFile(caFile, server.authority);
    const env = { AZURE_ACCOUNT_NAME: 'account', AZURE_ACCOUNT_KEY: 'a2V5' };
    const settings = parseStoreSettings([`azure.endpoint=${server.url}/account`]);
    const open = (more: { readonly caFile?: string }) =>
      openStore('azure:container:/', { ...options, clock, env, settings, ...more });
    assert.equal(await (await open({ caFile })).sizeOf('config'), undefined);
    await assert.rejects((await open({})).sizeOf('config'), says('StoreRefused', /certificate.*--cacert/s));
  });

  it('refuses authorities for Google Cloud instead of not using them', async () => {
    const opened = openStore('gs:bucket:/', { ...options, caFile: '/ca.pem' });
    await assert.rejects(opened, says('StoreSettingInvalid', /--cacert.*NODE_EXTRA_CA_CERTS/s));
  });

  it('refuses a file of authorities that is none', async () => {
    await using directory = await emptyDirectory();
    const caFile = join(directory.root, 'ca.pem');
    const open = () => openStore('s3:https://127.0.0.1:9/bucket', { ...options, caFile });
    await assert.rejects(open(), says('StoreAuthoritiesUnreadable', /cannot be read/));
    await writeFile(caFile, 'nothing');
    await assert.rejects(open(), says('StoreAuthoritiesUnreadable', /no PEM/));
    await writeFile(caFile, '-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n');
    await assert.rejects(open(), says('StoreAuthoritiesUnreadable', /--cacert.*no PEM.*ca\.pem/));
  });
});
