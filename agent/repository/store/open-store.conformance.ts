/** Stores as commands open them, on a real S3 server (versitygw): the same address and credentials serve stock restic. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { systemClock } from '../../../kube/clock.ts';
import { type S3Server, startVersitygw } from '../../../test/stores/versitygw.ts';
import { scratch } from '../../mover/testing/test-volumes.ts';
import { backup } from '../backup/backup.ts';
import { byPassphrase } from '../keys/unlock.ts';
import { initRepository, openRepository } from '../repository.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { checkWithRestic, restic, resticMissing } from '../testing/stock-restic.ts';
import { faultyStore } from './faulty-store.ts';
import { openStore } from './open-store.ts';
import { s3Client } from './s3-client.ts';
import { parseStoreSettings } from './store-settings.ts';
import { describeStore, fails } from './testing/store-suite.ts';

const options = { env: {}, clock: systemClock(), random: Math.random, uniqueName: randomUUID };

async function startWithBucket(speaks: 'HTTP' | 'TLS' = 'HTTP'): Promise<S3Server> {
  const server = await startVersitygw(speaks);
  const { endpoint, credentials, caFile } = server;
  const ca = caFile === undefined ? undefined : readFileSync(caFile, 'utf8');
  const client = s3Client({ endpoint, credentials, ca, region: undefined, addressing: 'Path' });
  await client.send(new CreateBucketCommand({ Bucket: 'backups' }));
  return server;
}

const envOf = ({ credentials }: S3Server) => ({
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
});

describeStore(
  'S3 as commands open it: TLS by --cacert, cached, 5 % of requests failing',
  async () => {
    const server = await startWithBucket('TLS');
    const cache = scratch();
    const random = seededRandom(5);
    const address = `s3:${server.endpoint}/backups/deep/prefix`;
    const common = { ...options, env: envOf(server), caFile: server.caFile };
    const { clock } = options;
    const store = await openStore(address, {
      ...{ ...common, cache: { directory: cache.path('cache') } },
      wrapBare: (bare) => faultyStore(bare, { random, clock, rate: 0.05, delayMs: 10 }),
    });
    const second = await openStore(address, common);
    return {
      ...{ store, again: () => second },
      async [Symbol.asyncDispose]() {
        cache[Symbol.dispose]();
        await server[Symbol.asyncDispose]();
      },
    };
  },
  { pages: false },
);

describe('S3 as commands open it', () => {
  let server: S3Server;
  before(async () => {
    server = await startWithBucket();
  });
  after(() => server[Symbol.asyncDispose]());
  const address = (prefix: string) => `s3:${server.endpoint}/backups/${prefix}`;

  it('finds credentials in a file of AWS, by profile, as the SDK does', async () => {
    using space = scratch();
    const { accessKeyId, secretAccessKey } = server.credentials;
    const text = `[other]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
    writeFileSync(space.path('credentials'), text);
    // The SDK reads its own environment.
    process.env.AWS_SHARED_CREDENTIALS_FILE = space.path('credentials');
    process.env.AWS_PROFILE = 'other';
    try {
      const store = await openStore(address('file'), options);
      await store.put('config', Buffer.of(1));
      assert.deepEqual(await store.get('config'), Buffer.of(1));
      process.env.AWS_PROFILE = 'none';
      process.env.AWS_EC2_METADATA_DISABLED = 'true';
      await assert.rejects((await openStore(address('file'), options)).get('config'), fails('StoreRefused'));
    } finally {
      for (const name of ['AWS_SHARED_CREDENTIALS_FILE', 'AWS_PROFILE', 'AWS_EC2_METADATA_DISABLED'])
        delete process.env[name];
    }
  });

  it('a server that is not there is given up after the time for it, with what failed', async () => {
    const env = envOf(server);
    let waitedMs = 0;
    const clock = {
      ...systemClock(),
      monotonicMs: () => waitedMs,
      sleep: async (ms: number) => {
        waitedMs += ms;
      },
    };
    const nobody = await openStore('s3:http://127.0.0.1:9/backups', { ...options, env, clock });
    await assert.rejects(nobody.sizeOf('config'), fails('StoreUnreachable', true));
    assert.ok(waitedMs <= 30_000);
  });

  it('a server without server-side encryption stores what asks for it', async () => {
    const settings = parseStoreSettings(['s3.server-side-encryption=AES256', 's3.storage-class=STANDARD']);
    const store = await openStore(address('encrypted'), { ...options, env: envOf(server), settings });
    await store.put('config', Buffer.of(1));
    assert.deepEqual(await store.get('config'), Buffer.of(1));
  });

  it('stock restic checks and dumps what we write, at the same address', { skip: resticMissing }, async () => {
    using space = scratch();
    const root = space.path('data');
    mkdirSync(root);
    const content = randomBytes(3_000_000);
    writeFileSync(`${root}/file`, content);
    const env = envOf(server);
    const open = () => openStore(address('repository'), { ...options, env });
    await initRepository(await open(), 'pw', { created: new Date(0), username: 'u', hostname: 'h' }, randomBytes);
    const repository = await openRepository(await open(), byPassphrase('pw'), randomBytes);
    await backup({
      ...{ repository, paths: [root], parent: undefined, level: 3, threads: 2, signal: new AbortController().signal },
      describe: { time: new Date(), hostname: 'h', username: 'u', tags: [], excludes: [] },
    });
    Object.assign(process.env, env);
    try {
      checkWithRestic(address('repository'), 'pw');
      assert.deepEqual(restic(address('repository'), 'pw', 'dump', 'latest', `${root}/file`), content);
    } finally {
      for (const name of Object.keys(env)) delete process.env[name];
    }
  });
});
