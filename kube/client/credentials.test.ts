/** Tokens that rotate, plugins that are asked once, and proxies on the way. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createProxy } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { manualClock } from '../clock.ts';
import { StorkError } from '../errors.ts';
import type { ExecPlugin } from './cluster-config.ts';
import { core } from './core.ts';
import { fileFreshMs } from './credentials.ts';
import { aConfigMap, aStatus, sendJson, startLoopbackServer } from './testing/loopback-server.ts';

const key = { namespace: 'default', name: 'a' };
const isCode = (code: string) => (error: unknown) => error instanceof StorkError && error.code === code;

/** Answers everybody whose token is `accepted()`, and remembers all tokens shown. */
async function startTokenServer(accepted: () => string | undefined) {
  const tokens: (string | undefined)[] = [];
  const server = await startLoopbackServer((request, response) => {
    tokens.push(request.headers.authorization);
    const wanted = accepted();
    if (wanted === undefined || request.headers.authorization === `Bearer ${wanted}`)
      sendJson(response, 200, aConfigMap('a'));
    else sendJson(response, 401, aStatus(401, 'Unauthorized'));
  });
  return { server, tokens, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

describe('token files', () => {
  const credentials = { token: { from: 'File', path: '/token' } } as const;

  it('are read again when they have aged', async () => {
    const clock = manualClock();
    let token = 'one\n';
    await using world = await startTokenServer(() => undefined);
    const client = world.server.client({ clock, readText: async () => token, config: { credentials } });
    await client.get(core.configMaps, key);
    token = 'two';
    await client.get(core.configMaps, key);
    await clock.advance(fileFreshMs);
    await client.get(core.configMaps, key);
    assert.deepEqual(world.tokens, ['Bearer one', 'Bearer one', 'Bearer two']);
  });

  it('are read again at once when the server refuses the token', async () => {
    const clock = manualClock();
    let token = 'old';
    await using world = await startTokenServer(() => 'new');
    const client = world.server.client({ clock, readText: async () => token, config: { credentials } });
    await assert.rejects(client.get(core.configMaps, key), isCode('Unauthorized'));
    token = 'new';
    await clock.advance(1);
    assert.equal((await client.get(core.configMaps, key)).metadata.name, 'a');
  });

  it('keep their last text while they can’t be read', async () => {
    const clock = manualClock();
    let broken = false;
    const readText = async () => (broken ? Promise.reject(new Error('gone')) : 'one');
    await using world = await startTokenServer(() => 'one');
    const client = world.server.client({ clock, readText, config: { credentials } });
    await client.get(core.configMaps, key);
    broken = true;
    await clock.advance(fileFreshMs);
    assert.equal((await client.get(core.configMaps, key)).metadata.name, 'a');
  });
});

describe('exec credential plugins', () => {
  /** A plugin that counts its runs and answers what the file `answer` says. */
  async function aPlugin(changes: Partial<ExecPlugin> = {}) {
    const directory = await mkdtemp(join(tmpdir(), 'stork-exec-'));
    const script =
      'echo "$KUBERNETES_EXEC_INFO" >> "$DIR/runs"; cat "$DIR/answer"; exit "$(cat "$DIR/code" 2>/dev/null || echo 0)"';
    const plugin: ExecPlugin = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: '/bin/sh',
      args: ['-c', script],
      env: { DIR: directory },
      interactiveMode: 'IfAvailable',
      installHint: 'install it',
      cluster: undefined,
      ...changes,
    };
    const answer = (status: object) =>
      writeFile(
        join(directory, 'answer'),
        JSON.stringify({ apiVersion: plugin.apiVersion, kind: 'ExecCredential', status }),
      );
    return {
      plugin,
      answer,
      write: (name: string, text: string) => writeFile(join(directory, name), text),
      runs: async () =>
        (await readFile(join(directory, 'runs'), 'utf8'))
          .trim()
          .split('\n')
          .map((line): unknown => JSON.parse(line)),
      [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
    };
  }
  const env = { PATH: '/usr/bin:/bin' };

  it('are run once for many calls, until the credential expires', async () => {
    const clock = manualClock(new Date('2026-01-01T00:00:00Z'));
    await using exec = await aPlugin({ cluster: { server: 'https://x' } });
    await using world = await startTokenServer(() => undefined);
    await exec.answer({ token: 'one', expirationTimestamp: '2026-01-01T00:05:00Z' });
    const client = world.server.client({ clock, env, config: { credentials: { exec: exec.plugin } } });
    await Promise.all([1, 2, 3].map(() => client.get(core.configMaps, key)));
    await exec.answer({ token: 'two' });
    await clock.advance(240_000);
    await client.get(core.configMaps, key);
    await clock.advance(60_000);
    await client.get(core.configMaps, key);
    assert.deepEqual(new Set(world.tokens.slice(0, 4)), new Set(['Bearer one']));
    assert.equal(world.tokens[4], 'Bearer two');
    const info = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      spec: { interactive: false, cluster: { server: 'https://x' } },
    };
    assert.deepEqual(await exec.runs(), [info, info]);
  });

  it('are run again when the server refuses the credential', async () => {
    await using exec = await aPlugin();
    await exec.answer({ token: 'old' });
    await using world = await startTokenServer(() => 'new');
    const client = world.server.client({ env, config: { credentials: { exec: exec.plugin } } });
    await assert.rejects(client.get(core.configMaps, key), isCode('Unauthorized'));
    await exec.answer({ token: 'new' });
    await client.get(core.configMaps, key);
    assert.equal(world.tokens.at(-1), 'Bearer new');
  });

  it('are named when they fail, with what they said and how to install them', async () => {
    await using exec = await aPlugin();
    await exec.answer({ token: 'x' });
    await exec.write('code', '3');
    await using world = await startTokenServer(() => undefined);
    const get = (changes: Partial<ExecPlugin>) => {
      const client = world.server.client({ env, config: { credentials: { exec: { ...exec.plugin, ...changes } } } });
      return client.get(core.configMaps, key);
    };
    await assert.rejects(get({}), (error) => {
      assert.ok(error instanceof StorkError);
      assert.deepEqual([error.code, error.hint], ['CredentialPluginFailed', 'install it']);
      return /code 3/.test(error.message);
    });
    await assert.rejects(get({ command: '/nowhere/plugin' }), isCode('CredentialPluginFailed'));
    await assert.rejects(get({ interactiveMode: 'Always' }), /needs a terminal/);
  });

  it('never show their answer in an error', async () => {
    await using exec = await aPlugin();
    await exec.write('answer', '{"kind":"ExecCredential","apiVersion":"wrong/v1","status":{"token":"s3cret"}}');
    await using world = await startTokenServer(() => undefined);
    const client = world.server.client({ env, config: { credentials: { exec: exec.plugin } } });
    await assert.rejects(client.get(core.configMaps, key), (error) => {
      assert.ok(error instanceof StorkError && error.cause === undefined);
      return error.code === 'CredentialPluginFailed' && !error.message.includes('s3cret');
    });
  });
});

describe('proxies', () => {
  it('are passed by CONNECT, the connection behind them kept and verified', async () => {
    const asked: string[] = [];
    const proxy = createProxy().on('connect', (request, socket) => {
      asked.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim());
      const [host = '', port] = (request.url ?? '').split(':');
      const onward = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      onward.on('error', () => socket.destroy());
      socket.on('error', () => onward.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const address = proxy.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    try {
      await using world = await startTokenServer(() => undefined);
      const client = world.server.client({ config: { proxyUrl: `http://jane:pw@127.0.0.1:${port}` } });
      for (let call = 0; call < 3; call += 1) await client.get(core.configMaps, key);
      assert.deepEqual(asked, [`${world.server.url.replace('https://', '')} Basic amFuZTpwdw==`]);
      const socks = world.server.client({ config: { proxyUrl: 'socks5://127.0.0.1:1' } });
      await assert.rejects(socks.get(core.configMaps, key), isCode('ProxyRefused'));
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});
