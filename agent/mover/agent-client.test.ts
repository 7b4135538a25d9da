import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createSecureServer, type ServerHttp2Session } from 'node:http2';
import { describe, it } from 'node:test';
import { manualClock, systemClock } from '../../kube/clock.ts';
import { issueServingTls } from '../peer/serving-tls.ts';
import { createAgentClient } from './agent-client.ts';

describe('a mover’s connection to its agent', () => {
  it('is opened anew when it leads nowhere, as to the pod of an agent that is gone', { timeout: 120_000 }, async () => {
    const tls = issueServingTls({
      authorityName: 'ca',
      dnsNames: ['localhost'],
      now: systemClock().now(),
      randomBytes,
    });
    const server = createSecureServer({ key: tls.key, cert: tls.certificate, minVersion: 'TLSv1.3' });
    const sessions: ServerHttp2Session[] = [];
    const asked = Promise.withResolvers<void>();
    server.on('session', (session) => {
      sessions.push(session);
      session.on('error', () => undefined);
      session.on('stream', (stream) => {
        stream.on('error', () => undefined);
        if (session === sessions[0]) return asked.resolve();
        stream.respond({ ':status': 200 });
        return stream.end(JSON.stringify({ state: 'Go' }));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const clock = manualClock(systemClock().now());
    const client = createAgentClient({
      url: `https://localhost:${port}`,
      ca: tls.authority,
      run: 'run-1',
      readToken: () => 'token',
      clock,
    });
    try {
      const answer = client.awaitGate(new AbortController().signal);
      await asked.promise;
      const ticking = setInterval(() => void clock.advance(2_000), 50);
      assert.deepEqual(await answer.finally(() => clearInterval(ticking)), { state: 'Go' });
      assert.ok(sessions.length > 1);
    } finally {
      for (const session of sessions) session.destroy();
      server.close();
    }
  });
});
