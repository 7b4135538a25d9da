/** Exec over WebSocket as a kubelet's streams come: frames, the exit code, closed stdin, and every way to break. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { manualClock } from '../clock.ts';
import { ApiError, StorkError } from '../errors.ts';
import type { ExecRequest } from './client.ts';
import { execTailLength } from './exec-in-pod.ts';
import { aStatus, type ClientChanges, sendJson, startLoopbackServer } from './testing/loopback-server.ts';

const isCode = (code: string) => (error: unknown) => error instanceof StorkError && error.code === code;
const frame = (channel: number, bytes: string | Buffer) => Buffer.concat([Buffer.from([channel]), Buffer.from(bytes)]);
const success = frame(3, JSON.stringify({ kind: 'Status', status: 'Success' }));
const exited = (code: number) =>
  frame(
    3,
    JSON.stringify({
      ...aStatus(500, 'NonZeroExitCode'),
      details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
    }),
  );

interface Opened {
  readonly socket: WebSocket;
  readonly url: URL;
}

async function startExecServer(serve: (opened: Opened) => void, protocol = 'v5.channel.k8s.io') {
  const server = await startLoopbackServer((_, response) => sendJson(response, 404, aStatus(404, 'NotFound')));
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => (offered.has(protocol) ? protocol : false),
  });
  server.https.on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (open) =>
      serve({ socket: open, url: new URL(request.url ?? '', 'https://x') }),
    );
  });
  const run = (request: Partial<ExecRequest> = {}, changes?: ClientChanges) =>
    server.client(changes).exec({ namespace: 'default', pod: 'db', command: ['true'], ...request });
  return { server, run, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

describe('exec', () => {
  it('asks for the command and answers both streams and the exit code', async () => {
    let asked = '';
    await using world = await startExecServer(({ socket, url }) => {
      asked = `${url.pathname}${url.search}`;
      const euro = Buffer.from('5 €\n');
      for (const bytes of [euro.subarray(0, 3), euro.subarray(3)]) socket.send(frame(1, bytes));
      socket.send(frame(2, 'oops'));
      socket.send(exited(42));
    });
    const pieces: string[] = [];
    const onOutput = (stream: string, text: string) => pieces.push(`${stream} ${text}`);
    const result = await world.run({ container: 'main', command: ['sh', '-c', 'a & b'], onOutput });
    assert.deepEqual(result, { exitCode: 42, stdout: '5 €\n', stderr: 'oops' });
    assert.deepEqual(pieces, ['stdout 5 ', 'stdout €\n', 'stderr oops']);
    assert.equal(
      asked,
      '/api/v1/namespaces/default/pods/db/exec?command=sh&command=-c&command=a+%26+b&container=main&stdout=true&stderr=true',
    );
  });

  it('sends stdin and closes it', async () => {
    await using world = await startExecServer(({ socket }) => {
      const input: Buffer[] = [];
      socket.on('message', (bytes: Buffer) => {
        if (bytes[0] === 0) input.push(bytes.subarray(1));
        if (bytes[0] === 255 && bytes[1] === 0) {
          socket.send(frame(1, Buffer.concat(input)));
          socket.send(success);
        }
      });
    });
    assert.equal((await world.run({ stdin: 'hello ä' })).stdout, 'hello ä');
  });

  it('refuses stdin where the server can’t close it', async () => {
    await using world = await startExecServer(({ socket }) => socket.send(success), 'v4.channel.k8s.io');
    await assert.rejects(world.run({ stdin: 'x' }), isCode('ExecInputUnsupported'));
    assert.equal((await world.run()).exitCode, 0);
  });

  it('keeps the end of a long output, and passes all of it on', async () => {
    await using world = await startExecServer(({ socket }) => {
      for (let part = 0; part < 20; part += 1) socket.send(frame(1, String.fromCharCode(97 + part).repeat(10_000)));
      socket.send(success);
    });
    let length = 0;
    const result = await world.run({
      onOutput: (_, text) => {
        length += text.length;
      },
    });
    assert.deepEqual([result.stdout.length, result.stdout.at(-1), length], [execTailLength, 't', 200_000]);
  });

  it('rejects with the server’s refusal', async () => {
    await using server = await startLoopbackServer(() => {});
    server.https.on('upgrade', (_, socket) => {
      const body = JSON.stringify(aStatus(403, 'Forbidden'));
      socket.end(
        `HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    });
    const call = server.client().exec({ namespace: 'default', pod: 'db', command: ['true'] });
    await assert.rejects(
      call,
      (error) => error instanceof ApiError && error.code === 'Forbidden' && error.about === 'pods default/db',
    );
  });

  it('rejects with a Status that is no exit code', async () => {
    await using world = await startExecServer(({ socket }) =>
      socket.send(frame(3, JSON.stringify(aStatus(500, 'InternalError')))),
    );
    await assert.rejects(world.run(), (error) => error instanceof ApiError && error.code === 'InternalError');
  });

  it('never takes a connection that ended for a command that succeeded', async () => {
    await using world = await startExecServer(({ socket }) => {
      socket.send(frame(1, 'half'));
      socket.close(1000);
    });
    await assert.rejects(world.run(), isCode('ExecInterrupted'));
  });

  it('notices a connection that has fallen silent', async () => {
    const clock = manualClock();
    const opened = Promise.withResolvers<void>();
    await using world = await startExecServer(({ socket }) => {
      socket.pause();
      opened.resolve();
    });
    const outcome = assert.rejects(world.run({}, { clock }), isCode('ExecInterrupted'));
    await opened.promise;
    await clock.advance(60_000);
    await outcome;
  });

  it('ends at its timeout, and when aborted, closing the connection', async () => {
    const clock = manualClock();
    let opened = Promise.withResolvers<void>();
    const closed: Promise<unknown>[] = [];
    await using world = await startExecServer(({ socket }) => {
      closed.push(new Promise((resolve) => socket.on('close', resolve)));
      opened.resolve();
    });
    const late = assert.rejects(world.run({ timeoutMs: 5_000 }, { clock }), isCode('ExecTimedOut'));
    await opened.promise;
    await clock.advance(5_000);
    await late;
    opened = Promise.withResolvers();
    const stop = new AbortController();
    const aborted = assert.rejects(world.run({ signal: stop.signal }), /enough/);
    await opened.promise;
    stop.abort(new Error('enough'));
    await aborted;
    await Promise.all(closed);
  });
});
