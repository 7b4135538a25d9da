/** What the wire can do to a call: refusals to repeat, silence, cut connections, too much, and the wrong server. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manualClock } from '../clock.ts';
import { ApiError, StorkError } from '../errors.ts';
import { maxCallConnections } from './connection-pool.ts';
import { core } from './core.ts';
import { aConfigMap, aStatus, sendJson, startLoopbackServer } from './testing/loopback-server.ts';
import { defaultLimits, planRetry } from './transport.ts';

const key = { namespace: 'default', name: 'a' };
const isCode = (code: string) => (error: unknown) => error instanceof StorkError && error.code === code;

describe('planRetry', () => {
  const plan = (code: number, retryAfter?: string, attempt = 1) =>
    planRetry(code, retryAfter, { attempt, limits: defaultLimits });

  it('waits as long as the server asks, for 429 and 503 only', () => {
    assert.deepEqual(plan(429, '2'), { do: 'Wait', ms: 2000 });
    assert.deepEqual(plan(503, '0'), { do: 'Wait', ms: 0 });
    for (const code of [400, 403, 404, 409, 500, 504]) assert.deepEqual(plan(code, '1'), { do: 'GiveUp' });
  });

  it('gives up without Retry-After, with a long or odd one, and after the last attempt', () => {
    assert.deepEqual(plan(429), { do: 'GiveUp' });
    assert.deepEqual(plan(429, '31'), { do: 'GiveUp' });
    assert.deepEqual(plan(503, 'Wed, 21 Oct 2026 07:28:00 GMT'), { do: 'GiveUp' });
    assert.deepEqual(plan(429, '1', defaultLimits.attempts), { do: 'GiveUp' });
  });

  it('renews the credential after the first 401 only', () => {
    assert.deepEqual(plan(401), { do: 'RenewCredential' });
    assert.deepEqual(plan(401, undefined, 2), { do: 'GiveUp' });
  });
});

describe('calls', () => {
  it('repeats a call that the server asked to repeat, writes too', async () => {
    let count = 0;
    await using server = await startLoopbackServer((_, response) => {
      count += 1;
      if (count < 3)
        sendJson(response, count === 1 ? 429 : 503, aStatus(429, 'TooManyRequests'), { 'retry-after': '0' });
      else sendJson(response, 201, aConfigMap('a'));
    });
    const made = await server.client().create(core.configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: key });
    assert.deepEqual([made.metadata.name, count], ['a', 3]);
  });

  it('stops repeating after a bounded number of attempts', async () => {
    await using server = await startLoopbackServer((_, response) =>
      sendJson(response, 429, aStatus(429, 'TooManyRequests'), { 'retry-after': '0' }),
    );
    await assert.rejects(server.client().get(core.configMaps, key), isCode('TooManyRequests'));
    assert.equal(server.seen.length, defaultLimits.attempts);
  });

  it('keeps the connections of 200 calls within the pool, and one for calls in turn', async () => {
    await using server = await startLoopbackServer((_, response) => sendJson(response, 200, aConfigMap('a')));
    const client = server.client();
    for (let call = 0; call < 20; call += 1) await client.get(core.configMaps, key);
    assert.equal(server.connectionCount, 1);
    await Promise.all(Array.from({ length: 200 }, () => client.get(core.configMaps, key)));
    await Promise.all(Array.from({ length: 50 }, () => client.as({ user: 'x' }).get(core.configMaps, key)));
    assert.ok(server.connectionCount <= maxCallConnections, `${server.connectionCount} connections`);
  });

  it('refuses an answer past the cap', async () => {
    await using server = await startLoopbackServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = (error?: Error | null) => {
        if (!error) response.write('x'.repeat(65_536), more);
      };
      more();
    });
    const client = server.client({ limits: { answerBytes: 1_000_000 } });
    await assert.rejects(client.get(core.configMaps, key), isCode('AnswerTooLarge'));
  });

  it('reports an answer that broke off as unreachable', async () => {
    await using server = await startLoopbackServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"kind":', () => response.destroy());
    });
    await assert.rejects(server.client().get(core.configMaps, key), isCode('ApiServerUnreachable'));
  });

  it('gives up on a server that does not answer in time', async () => {
    const clock = manualClock();
    const arrived = Promise.withResolvers<void>();
    await using server = await startLoopbackServer(() => arrived.resolve());
    const call = server.client({ clock }).get(core.configMaps, key);
    const outcome = assert.rejects(call, isCode('ApiServerUnreachable'));
    await arrived.promise;
    await clock.advance(defaultLimits.answerWithinMs);
    await outcome;
  });

  it('stops at once when aborted, with the signal’s reason', async () => {
    const arrived = Promise.withResolvers<void>();
    await using server = await startLoopbackServer(() => arrived.resolve());
    const stop = new AbortController();
    const call = server.client().get(core.configMaps, key, { signal: stop.signal });
    const outcome = assert.rejects(call, /enough/);
    await arrived.promise;
    stop.abort(new Error('enough'));
    await outcome;
  });

  it('is aborted also while its credential is being fetched', async () => {
    await using server = await startLoopbackServer((_, response) => sendJson(response, 200, aConfigMap('a')));
    const stop = new AbortController();
    const readText = async () => {
      stop.abort(new Error('enough'));
      return 'token';
    };
    const client = server.client({ readText, config: { credentials: { token: { from: 'File', path: '/token' } } } });
    await assert.rejects(client.get(core.configMaps, key, { signal: stop.signal }), /enough/);
    const pod = { namespace: 'default', pod: 'a', command: ['true'], signal: stop.signal };
    await assert.rejects(client.exec(pod), /enough/);
  });

  it('makes an ApiError of a refusal that is no Status', async () => {
    await using server = await startLoopbackServer((_, response) => {
      response.writeHead(502, { 'content-type': 'text/html' });
      response.end('<h1>Bad Gateway</h1>');
    });
    await assert.rejects(server.client().get(core.configMaps, key), (error) => {
      assert.ok(error instanceof ApiError);
      assert.deepEqual([error.status.code, error.code, error.retryable], [502, 'Http502', true]);
      return error.about === 'configmaps default/a';
    });
  });

  it('refuses an answer that is not what was asked for', async () => {
    await using server = await startLoopbackServer((request, response) => {
      if (request.url?.includes('secrets')) response.end('not json');
      else sendJson(response, 200, { hello: 'world' });
    });
    await assert.rejects(server.client().get(core.configMaps, key), isCode('UnexpectedAnswer'));
    await assert.rejects(server.client().get(core.secrets, key), isCode('UnexpectedAnswer'));
  });

  it('does not talk to a server whose certificate it can’t trust', async () => {
    await using server = await startLoopbackServer((_, response) => sendJson(response, 200, aConfigMap('a')));
    const trust = { ca: undefined, verify: 'VerifyServer', serverName: undefined } as const;
    const untrusting = server.client({ config: { trust } });
    await assert.rejects(untrusting.get(core.configMaps, key), (error: Error) => {
      assert.ok(error.cause instanceof Error);
      assert.doesNotMatch(error.cause.message, /Node\.js/);
      return isCode('ApiServerUntrusted')(error);
    });
    assert.equal(server.seen.length, 0);
    const insecure = server.client({ config: { trust: { ...trust, verify: 'AcceptAnyServer' } } });
    assert.equal((await insecure.get(core.configMaps, key)).metadata.name, 'a');
  });

  it('connects to the addresses it was given for a host, and still checks the certificate for its name', async () => {
    await using server = await startLoopbackServer((_, response) => sendJson(response, 200, aConfigMap('a')));
    const { port } = new URL(server.url);
    const given = (host: string) => ({ config: { server: `https://${host}:${port}`, addresses: ['127.0.0.1'] } });
    assert.equal((await server.client(given('api.stork.test')).get(core.configMaps, key)).metadata.name, 'a');
    const other = server.client(given('other.stork.test'));
    await assert.rejects(other.get(core.configMaps, key), isCode('ApiServerUntrusted'));
  });

  it('says that nothing listens there', async () => {
    const server = await startLoopbackServer(() => {});
    const client = server.client();
    await server[Symbol.asyncDispose]();
    await assert.rejects(client.get(core.configMaps, key), isCode('ApiServerUnreachable'));
  });

  it('talks plain http to loopback only', async () => {
    await using server = await startLoopbackServer(() => {});
    assert.throws(() => server.client({ config: { server: 'http://192.0.2.1:8080' } }), isCode('InsecureServer'));
    assert.doesNotThrow(() => server.client({ config: { server: 'http://127.0.0.1:8001' } }));
  });

  it('sends whom it acts as', async () => {
    let headers: Record<string, unknown> = {};
    await using server = await startLoopbackServer((request, response) => {
      headers = { ...request.headersDistinct };
      sendJson(response, 200, aConfigMap('a'));
    });
    const identity = { user: 'jane', groups: ['a', 'b'], uid: '7' };
    await server.client().as(identity).get(core.configMaps, key);
    assert.deepEqual(headers['impersonate-user'], ['jane']);
    assert.deepEqual(headers['impersonate-group'], ['a', 'b']);
    assert.deepEqual(headers['impersonate-uid'], ['7']);
  });
});

describe('lists', () => {
  it('starts over when a continue token has expired, and tells nothing twice', async () => {
    let expired = false;
    await using server = await startLoopbackServer((request, response) => {
      const token = new URL(request.url ?? '', 'https://x').searchParams.get('continue');
      const list = (names: readonly string[], next: string) =>
        sendJson(response, 200, {
          ...{ kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: '9', continue: next } },
          items: names.map((name) => ({ metadata: { name, namespace: 'default', uid: name } })),
        });
      if (token === null) return list(['a', 'b'], 'next');
      if (expired) return list(['c'], '');
      expired = true;
      sendJson(response, 410, aStatus(410, 'Expired'));
    });
    const names: string[] = [];
    for await (const one of server.client().list(core.configMaps, { pageSize: 2 }))
      names.push(`${one.kind} ${one.metadata.name}`);
    assert.deepEqual(names, ['ConfigMap a', 'ConfigMap b', 'ConfigMap c']);
    assert.equal(server.seen.length, 4);
  });
});
