import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { plainHttp } from './plain-http.ts';

const body = Buffer.from(Array.from({ length: 3000 }, (_, at) => at % 251));
const headOf = (status: string, ...lines: readonly string[]) =>
  `${[`HTTP/1.1 ${status}`, `Content-Length: ${body.length}`, ...lines].join('\r\n')}\r\n\r\n`;
const partial = headOf('206 Partial Content');

/** @param answer is called for each request that came whole */
async function startServer(answer: (socket: Socket, request: string, connection: number) => void) {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const number = ++connections;
    sockets.add(socket);
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const request = text.slice(0, end);
        text = text.slice(end + 4);
        answer(socket, request, number);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const patience = { connectWithinMs: 60_000, silentAtMostMs: 60_000 };
  const http = plainHttp({ host: '127.0.0.1', port, tls: undefined, ...patience });
  return {
    get: (changes: { readonly path?: string; readonly signal?: AbortSignal; readonly headers?: object } = {}) =>
      http.get(
        { path: changes.path ?? '/a/b', headers: { host: 'h', ...changes.headers }, wantedBytes: body.length },
        changes.signal,
      ),
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

describe('plain HTTP', () => {
  it('asks as told, brings the bytes alone in their memory, and keeps the connection', async () => {
    const asked: string[] = [];
    await using server = await startServer((socket, request) => {
      asked.push(request);
      socket.write(partial);
      socket.write(body);
    });
    for (const path of ['/one', '/two']) {
      const answer = await server.get({ path, headers: { range: 'bytes=0-2999' } });
      assert.equal(answer?.status, 206);
      assert.deepEqual(answer?.body, body);
      assert.equal(answer?.body?.buffer.byteLength, body.length);
    }
    assert.equal(asked[1], 'GET /two HTTP/1.1\r\nhost: h\r\nrange: bytes=0-2999\r\nconnection: keep-alive');
    assert.equal(server.connections(), 1);
  });

  it('takes an answer in whatever pieces it comes', async () => {
    const whole = Buffer.concat([Buffer.from(partial), body]);
    for (const first of [1, 20, partial.length - 1, partial.length, partial.length + 1, whole.length - 1]) {
      await using server = await startServer((socket) => {
        socket.setNoDelay(true);
        socket.write(whole.subarray(0, first), () => setImmediate(() => socket.write(whole.subarray(first))));
      });
      assert.deepEqual((await server.get())?.body, body);
    }
  });

  const others = [
    ['another status', headOf('200 OK')],
    ['a status without a reason', headOf('403 ')],
    ['an announcement of less', 'HTTP/1.1 206 Partial Content\r\ncontent-length: 12\r\n\r\n'],
    ['an announcement of more', 'HTTP/1.1 206 Partial Content\r\ncontent-length: 999999999999\r\n\r\n'],
    ['no length', 'HTTP/1.1 206 Partial Content\r\n\r\n'],
    ['two lengths', headOf('206 Partial Content', 'content-length: 3')],
    ['chunks', headOf('206 Partial Content', 'Transfer-Encoding: chunked')],
    ['an encoding', headOf('206 Partial Content', 'Content-Encoding: gzip')],
    ['more bytes than announced', `${partial}${'x'.repeat(body.length + 1)}`],
    ['a first answer before the answer', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ] as const;
  for (const [what, text] of others)
    it(`leaves ${what} to others, on another connection`, async () => {
      await using server = await startServer((socket) => void socket.write(Buffer.from(text)));
      assert.equal((await server.get())?.body, undefined);
      assert.equal((await server.get())?.body, undefined);
      assert.equal(server.connections(), 2);
    });

  it('says status and headers of what it leaves', async () => {
    await using server = await startServer(
      (socket) => void socket.write('HTTP/1.1 503 Slow Down\r\nRetry-After:  7 \r\ncontent-length: 0\r\n\r\n'),
    );
    const answer = await server.get();
    assert.equal(answer?.status, 503);
    assert.equal(answer?.headers.get('retry-after'), '7');
  });

  it('fails when the answer ends early, is none, or has no end of its head', async () => {
    for (const text of [partial, `${partial}abc`, 'HTTP/1.1 20', '', 'SSH-2.0-x\r\n\r\n', 'x'.repeat(20_000)]) {
      await using server = await startServer((socket) => void socket.end(text));
      await assert.rejects(server.get());
    }
  });

  it('asks again when a kept connection turns out to be closed, and not when it answered half', async () => {
    const answers = (socket: Socket, _request: string, connection: number) => {
      if (connection > 1 || !socket.bytesWritten) socket.write(Buffer.concat([Buffer.from(partial), body]));
      else socket.destroy();
    };
    await using server = await startServer(answers);
    for (let at = 0; at < 3; at++) assert.deepEqual((await server.get())?.body, body);
    assert.equal(server.connections(), 2);
    await using half = await startServer((socket) => {
      if (socket.bytesWritten === 0) socket.write(Buffer.concat([Buffer.from(partial), body]));
      else socket.end(partial);
    });
    await half.get();
    await assert.rejects(half.get());
    assert.equal(half.connections(), 1);
  });

  it('ends a connection on which something comes that nobody asked for', async () => {
    const ended = Promise.withResolvers<void>();
    const first: Socket[] = [];
    await using server = await startServer((socket, _request, connection) => {
      if (connection === 1) first.push(socket.once('close', () => ended.resolve()));
      socket.write(Buffer.concat([Buffer.from(partial), body]));
    });
    await server.get();
    first[0]?.write('HTTP/1.1 206');
    await ended.promise;
    assert.deepEqual((await server.get())?.body, body);
    assert.equal(server.connections(), 2);
  });

  it('asks nothing with what would end a line', async () => {
    await using server = await startServer(() => assert.fail('asked'));
    assert.equal(await server.get({ path: '/a b' }), undefined);
    assert.equal(await server.get({ path: '/a\r\nx: y' }), undefined);
    assert.equal(await server.get({ headers: { token: 'a\nb' } }), undefined);
    assert.equal(server.connections(), 0);
  });

  it('ends with the reason of the signal, wherever it is', async () => {
    for (const text of ['', 'HTTP/1.1 206 Par', partial, `${partial}abc`]) {
      const stop = new AbortController();
      await using server = await startServer((socket) => {
        socket.write(text);
        setImmediate(() => stop.abort(new Error('enough')));
      });
      await assert.rejects(server.get({ signal: stop.signal }), /enough/);
      await assert.rejects(server.get({ signal: stop.signal }), /enough/);
    }
  });
});
