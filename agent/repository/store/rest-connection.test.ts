/** Servers that accept a connection and then say nothing, as behind a firewall that lets packets vanish. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RestConnectionOptions, restConnection } from './rest-connection.ts';

const long = 600_000;
const noTls = { ca: undefined, fingerprint: undefined, client: undefined };

describe('a connection to a REST server', () => {
  for (const [way, fingerprint] of [
    ['by authorities', undefined],
    ['by fingerprint', 'ab'.repeat(32)],
  ] as const)
    it(`is given up when nobody agrees on TLS, ${way}`, async () => {
      await using server = await serve(createServer());
      const ask = asking(
        `https://127.0.0.1:${server.port}/`,
        { connectWithinMs: 30, silentAtMostMs: long },
        fingerprint,
      );
      await assert.rejects(ask(), { code: 'ETIMEDOUT' });
    });

  it('is given up when it is silent after that', async () => {
    await using server = await serve(createServer());
    const ask = asking(`http://127.0.0.1:${server.port}/`, { connectWithinMs: long, silentAtMostMs: 30 });
    await assert.rejects(ask(), { code: 'ETIMEDOUT' });
  });

  it('waits for an answer for longer than for a connection, on a kept socket too', async () => {
    const slow = createHttpServer((_request, answer) => void sleep(1500).then(() => answer.end('there')));
    await using server = await serve(slow);
    const ask = asking(`http://127.0.0.1:${server.port}/`, { connectWithinMs: 1000, silentAtMostMs: long });
    for (const _ of [1, 2]) {
      const answer = await ask();
      assert.equal(String(Buffer.concat(await answer.toArray())), 'there');
    }
  });
});

function asking(url: string, patience: RestConnectionOptions['patience'], fingerprint?: string) {
  const connection = restConnection({ url, credentials: undefined, tls: { ...noTls, fingerprint }, patience });
  return () => connection({ method: 'GET', path: 'config', signal: undefined });
}

/** Sockets are kept open by the client: they are cut at the end. */
async function serve(server: Server) {
  const sockets = new Set<{ destroy(): unknown }>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
