import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, it } from 'node:test';
import { restStore } from './rest-store.ts';

describe('a server without TLS at an address with it', () => {
  it('is told as that, not as one whose certificate is not trusted', async () => {
    const server = createServer((_, answer) => void answer.end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const url = `https://127.0.0.1:${Object(server.address()).port}/`;
      const tls = { ca: undefined, fingerprint: undefined, client: undefined };
      const store = restStore({ url, description: `rest:${url}`, credentials: undefined, tls });
      await assert.rejects(store.get('config'), {
        code: 'StoreRefused',
        message: /TLS can't be agreed on with it/,
        hint: /http:\/\//,
      });
    } finally {
      server.close();
    }
  });
});
