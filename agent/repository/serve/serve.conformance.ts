/** A served repository under attack, on loopback with TLS: what a client may do, whatever it sends. */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { newPrivateKey } from '../../peer/identity.ts';
import { writeCertificate } from '../../peer/x509.ts';
import { memoryStore } from '../store/memory-store.ts';
import { contentDigest } from '../store/rest-protocol.ts';
import { fails, idOf, sampleBytes } from '../store/testing/store-suite.ts';
import { parsePasswordFile, renderPasswordLine } from './password-file.ts';
import { credentials, newTls, serveStore } from './testing/serve.ts';

type Server = Awaited<ReturnType<typeof serveStore>>;

const authorization = `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
const nameOf = (bytes: Uint8Array) => `index/${idOf(bytes)}`;

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** A certificate that is its own authority, and, as `pem`, with its key. */
function aClientIdentity() {
  const key = newPrivateKey();
  const privateKey = createPrivateKey(key);
  const publicKey = createPublicKey(privateKey);
  const authority = writeCertificate({
    ...{ subject: 'client', serial: randomBytes(16), publicKey, use: 'Identity', notAfter: 'Never' },
    notBefore: new Date(Date.now() - 86_400_000),
    issuer: { name: 'client', privateKey, publicKey },
  });
  return { authority, pem: `${authority}${key}` };
}

/** A store whose puts wait first; `reached` when one does. */
function puttingAfter(store: ReturnType<typeof memoryStore>, wait: () => Promise<void>) {
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  const slow: typeof store = {
    ...store,
    async put(name, given) {
      resolve();
      await wait();
      await store.put(name, given);
    },
  };
  return { store: slow, reached };
}

const agent = new Agent({ keepAlive: true });

/** A request whose path is sent as it is. */
async function send({ serving, tls }: Server, path: string, { method = 'GET', headers = {}, body }: Sent = {}) {
  const asked = request({
    ...{ host: 'localhost', port: serving.port, ca: tls.authority, path, method, agent },
    headers: { authorization, ...headers },
  });
  asked.end(body);
  const [answer] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
  const text = Buffer.concat(await answer.toArray()).toString();
  return { status: answer.statusCode, headers: answer.headers, text };
}

describe('a served repository', () => {
  let server: Server;
  const store = memoryStore();
  before(async () => {
    server = await serveStore(store, { maxObjectBytes: 100_000 });
  });
  after(() => server[Symbol.asyncDispose]());

  it('has no places but those of a repository, however a path is written', async () => {
    await server.client().put('config', Buffer.of(1));
    const id = 'a'.repeat(64);
    for (const path of [
      '/../config',
      '/data/../config',
      '/%2e%2e/config',
      '/data/%2e%2e%2f%2e%2e%2fetc%2fpasswd',
      '//config',
      '/config/',
      '/stork/../config',
      '/stork/.hidden',
      '/stork/a/../../config',
      '/stork//a',
      '/etc/passwd',
      `/data/aa/${id}`,
      `/data/${id.toUpperCase()}`,
      `/data/${id}0`,
      `/index/${id}/..`,
      `/stork/${'x'.repeat(700)}`,
    ])
      for (const method of ['GET', 'HEAD', 'POST', 'DELETE'])
        assert.equal((await send(server, path, { method })).status, 404, `${method} ${path}`);
    assert.deepEqual([...store.objects.keys()], ['config']);
  });

  it('lists below no other prefix, and goes on with no token that it did not write', async () => {
    for (const prefix of ['../', '/etc/', 'stork/../', 'data'])
      assert.equal((await send(server, `/stork-list?prefix=${encodeURIComponent(prefix)}`)).status, 400, prefix);
    const forged = Buffer.concat([Buffer.alloc(32), Buffer.from('../../etc')]).toString('base64url');
    assert.equal((await send(server, `/stork-list?prefix=data/&from=${forged}`)).status, 400);
  });

  it('keeps an upload only when its bytes are those that its name or its digest says', async () => {
    const bytes = sampleBytes(1000, 1);
    const other = sampleBytes(1000, 2);
    assert.equal((await send(server, `/${nameOf(bytes)}`, { method: 'POST', body: other })).status, 400);
    const headers = { 'content-digest': contentDigest(idOf(bytes)) };
    assert.equal((await send(server, '/stork/x', { method: 'POST', body: other, headers })).status, 400);
    assert.equal(store.objects.size, 1);
  });

  it('overwrites nothing, and a request that is played again changes nothing', async () => {
    const bytes = sampleBytes(1000, 3);
    const path = `/${nameOf(bytes)}`;
    for (let times = 0; times < 2; times++)
      assert.equal((await send(server, path, { method: 'POST', body: bytes })).status, 200);
    for (const body of [sampleBytes(1000, 4), sampleBytes(10, 4)])
      assert.equal((await send(server, path, { method: 'POST', body })).status, 409);
    assert.equal((await send(server, '/config', { method: 'POST', body: Buffer.of(2) })).status, 409);
    assert.deepEqual(store.objects.get(nameOf(bytes)), bytes);
    assert.deepEqual(store.objects.get('config'), Buffer.of(1));
  });

  it('keeps nothing of an upload that was cut off', async () => {
    const bytes = sampleBytes(1000, 5);
    const socket = connect({ port: server.serving.port, servername: 'localhost', ca: server.tls.authority });
    await once(socket, 'secureConnect');
    socket.write(
      `POST /${nameOf(bytes)} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Length: 1000\r\n\r\n`,
    );
    socket.write(bytes.subarray(0, 500));
    socket.end();
    await once(socket.resume(), 'close');
    assert.equal(store.objects.has(nameOf(bytes)), false);
    await server.client().put(nameOf(bytes), bytes);
  });

  it('refuses an upload that is too large, whether it says so or not', async () => {
    const bytes = sampleBytes(100_001, 6);
    await assert.rejects(server.client().put(nameOf(bytes), bytes), fails('StoreRefused'));
    const headers = { 'transfer-encoding': 'chunked' };
    const chunked = await send(server, `/${nameOf(bytes)}`, { method: 'POST', body: bytes, headers }).catch(
      () => undefined,
    );
    assert.ok(chunked === undefined || chunked.status === 413);
    assert.equal(store.objects.has(nameOf(bytes)), false);
  });

  it('lets nobody in without a password, and tells no secret in its log', async () => {
    for (const wrong of [undefined, { ...credentials, password: 'wrong' }, { ...credentials, username: 'bob' }])
      await assert.rejects(server.client({ credentials: wrong }).sizeOf('config'), fails('StoreRefused'));
    const log = JSON.stringify(server.log.lines);
    assert.match(log, /"status":401/);
    for (const secret of [credentials.password, authorization.slice(6), 'wrong']) assert.ok(!log.includes(secret));
  });

  it('is trusted by its authority or by its fingerprint, and gets no byte of who trusts another', async () => {
    const fingerprint = new X509Certificate(server.tls.certificate).fingerprint256.replaceAll(':', '').toLowerCase();
    const none = { ca: undefined, fingerprint: undefined, client: undefined };
    assert.equal(await server.client({ tls: { ...none, fingerprint } }).sizeOf('config'), 1);
    const told = server.log.lines.length;
    const other = newTls().authority;
    for (const tls of [
      none,
      { ...none, ca: other },
      { ...none, fingerprint: '0'.repeat(64) },
      { ...none, ca: other, fingerprint },
    ])
      await assert.rejects(server.client({ tls, credentials: undefined }).sizeOf('config'), fails('StoreRefused'));
    // A request without credentials would have been told.
    assert.equal(server.log.lines.length, told);
  });

  it('speaks TLS 1.3 only', async () => {
    const socket = connect({ port: server.serving.port, ca: server.tls.authority, maxVersion: 'TLSv1.2' });
    await assert.rejects(once(socket, 'secureConnect'), /protocol version|alert/i);
  });
});

describe('a repository that is served with rules', () => {
  it('append-only: nothing goes but locks', async () => {
    const store = memoryStore();
    await using server = await serveStore(store, { removal: 'AppendOnly' });
    const client = server.client();
    const bytes = sampleBytes(100, 7);
    const names = ['config', nameOf(bytes), `data/${idOf(bytes).slice(0, 2)}/${idOf(bytes)}`, 'stork/marks/x'];
    for (const name of names) await client.put(name, bytes);
    await client.put(`locks/${idOf(bytes)}`, bytes);
    for (const name of names) await assert.rejects(client.remove(name), fails('StoreRefused'));
    await client.remove(`locks/${idOf(bytes)}`);
    assert.deepEqual([...store.objects.keys()].sort(), names.sort());
    assert.equal((await send(server, '/', { method: 'DELETE' })).status, 501);
  });

  it('with a bound: says that it is full before a byte is sent, and has room again after a removal', async () => {
    await using server = await serveStore(memoryStore(), { maxBytes: 300_000 });
    const client = server.client();
    const [first, second] = [sampleBytes(200_000, 8), sampleBytes(200_000, 9)];
    await client.put(nameOf(first), first);
    await client.put(nameOf(first), first);
    await assert.rejects(client.put(nameOf(second), second), fails('StoreFull'));
    await client.remove(nameOf(first));
    await client.put(nameOf(second), second);
  });

  it('to holders of certificates: of one authority, and nobody else', async () => {
    const tls = newTls();
    const { authority, pem } = aClientIdentity();
    const serveTls = { cert: tls.certificate, key: tls.key, clientCa: authority };
    await using server = await serveStore(memoryStore(), { tls: serveTls, users: undefined });
    const trusting = { ca: tls.authority, fingerprint: undefined };
    const client = server.client({ credentials: undefined, tls: { ...trusting, client: pem } });
    await client.put('config', Buffer.of(1));
    const nobody = server.client({ credentials: undefined, tls: { ...trusting, client: undefined } });
    await assert.rejects(nobody.sizeOf('config'));
  });

  it('by new certificates and users, once they are replaced', async () => {
    await using server = await serveStore();
    const before = server.client();
    await before.put('config', Buffer.of(1));
    const tls = newTls();
    const served = { cert: tls.certificate, key: tls.key, clientCa: undefined };
    const bob = { username: 'bob', password: 'another' };
    const line = await renderPasswordLine(bob.username, bob.password, randomBytes(16));
    const users = parsePasswordFile(line, 'users', randomBytes(32));
    assert.throws(() => server.serving.replace({ tls: { ...served, key: newTls().key }, users }));
    assert.equal(await before.sizeOf('config'), 1, 'a key of another certificate changes nothing');
    server.serving.replace({ tls: served, users });
    await assert.rejects(server.client().sizeOf('config'), fails('StoreRefused'), 'it does not know the authority');
    const trusting = { tls: { ca: tls.authority, fingerprint: undefined, client: undefined } };
    await assert.rejects(server.client(trusting).sizeOf('config'), fails('StoreRefused'), 'the user is gone');
    assert.equal(await server.client({ ...trusting, credentials: bob }).sizeOf('config'), 1);
  });

  it('not to who stays connected while his authority goes, once what he asked for is answered', async () => {
    const tls = newTls();
    const [first, second] = [aClientIdentity(), aClientIdentity()];
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { store: slow, reached } = puttingAfter(memoryStore(), () => released);
    const served = (clientCa: string) => ({ cert: tls.certificate, key: tls.key, clientCa });
    await using server = await serveStore(slow, { tls: served(first.authority), users: undefined });
    const clientOf = ({ pem }: typeof first) =>
      server.client({ credentials: undefined, tls: { ca: tls.authority, fingerprint: undefined, client: pem } });
    const old = clientOf(first);
    const bytes = sampleBytes(1000, 3);
    const putting = old.put(nameOf(bytes), bytes);
    await reached;
    server.serving.replace({ tls: served(second.authority), users: undefined });
    release();
    await putting;
    await assert.rejects(old.sizeOf(nameOf(bytes)));
    assert.equal(await clientOf(second).sizeOf(nameOf(bytes)), 1000);
  });

  it('ends when it is told to, and what is under way may end', async () => {
    const store = memoryStore();
    const bytes = sampleBytes(5_000_000, 10);
    const { store: slow, reached } = puttingAfter(store, () => sleep(50));
    const server = await serveStore(slow);
    const putting = server.client().put(nameOf(bytes), bytes);
    await reached;
    await Promise.all([server.serving.close(), putting]);
    assert.deepEqual(store.objects.get(nameOf(bytes)), bytes);
    await assert.rejects(server.client().sizeOf('config'), fails('StoreUnavailable', true));
  });
});
