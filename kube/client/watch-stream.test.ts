/** What the wire can do to a watch: odd pieces, an error event, a cut, silence, a flood. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { manualClock } from '../clock.ts';
import { isGone, StorkError } from '../errors.ts';
import type { KubeClient, WatchEvent } from './client.ts';
import { type ConfigMap, core } from './core.ts';
import { aConfigMap, aStatus, type ClientChanges, startLoopbackServer } from './testing/loopback-server.ts';

const isCode = (code: string) => (error: unknown) => error instanceof StorkError && error.code === code;
const line = (type: string, object: unknown) => `${JSON.stringify({ type, object })}\n`;
const watch = (client: KubeClient, signal?: AbortSignal) =>
  client.watch(core.configMaps, { resourceVersion: '1', signal });

async function startWatchServer(tell: (response: ServerResponse) => void) {
  const server = await startLoopbackServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    tell(response);
  });
  const all = async (changes?: ClientChanges) => {
    const events: WatchEvent<ConfigMap>[] = [];
    for await (const event of watch(server.client(changes))) events.push(event);
    return events;
  };
  return { server, all, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

describe('watch', () => {
  it('puts events together however they arrive, and ends when the server does', async () => {
    const text =
      line('ADDED', aConfigMap('ä€😀')) + line('BOOKMARK', { kind: 'ConfigMap', metadata: { resourceVersion: '7' } });
    await using world = await startWatchServer((response) => {
      for (const byte of Buffer.from(text + text.trim())) response.write(Buffer.from([byte]));
      response.end('\n');
    });
    const events = await world.all();
    assert.deepEqual(
      events.map((event) => event.type),
      ['ADDED', 'BOOKMARK', 'ADDED', 'BOOKMARK'],
    );
    const [first, bookmark] = events;
    assert.equal(first?.type === 'ADDED' && first.object.metadata.name, 'ä€😀');
    assert.equal(bookmark?.type === 'BOOKMARK' && bookmark.resourceVersion, '7');
    assert.match(
      world.server.seen[0] ?? '',
      /watch=true&allowWatchBookmarks=true&resourceVersion=1&timeoutSeconds=290/,
    );
  });

  it('rejects with the 410 of an error event', async () => {
    await using world = await startWatchServer((response) => response.end(line('ERROR', aStatus(410, 'Expired'))));
    await assert.rejects(world.all(), isGone);
  });

  it('tells what came before a cut, then rejects as unreachable', async () => {
    await using world = await startWatchServer((response) => {
      response.write(line('ADDED', aConfigMap('a')), () => response.destroy());
    });
    const events = watch(world.server.client())[Symbol.asyncIterator]();
    assert.equal((await events.next()).value?.type, 'ADDED');
    await assert.rejects(events.next(), isCode('ApiServerUnreachable'));
  });

  it('gives up on a connection that has fallen silent', async () => {
    const clock = manualClock();
    await using world = await startWatchServer((response) => void response.write(line('ADDED', aConfigMap('a'))));
    const events = watch(world.server.client({ clock, limits: { watchSilentAfterMs: 150_000 } }))[
      Symbol.asyncIterator
    ]();
    assert.equal((await events.next()).value?.type, 'ADDED');
    const next = assert.rejects(events.next(), isCode('ApiServerUnreachable'));
    await clock.advance(149_999);
    await clock.advance(1);
    await next;
  });

  it('lets a slow reader take its time', async () => {
    const clock = manualClock();
    await using world = await startWatchServer((response) =>
      response.end(line('ADDED', aConfigMap('a')) + line('ADDED', aConfigMap('b'))),
    );
    const events = watch(world.server.client({ clock }))[Symbol.asyncIterator]();
    await events.next();
    await clock.advance(1_000_000);
    assert.equal((await events.next()).value?.type, 'ADDED');
    assert.equal((await events.next()).done, true);
  });

  it('refuses an event past the cap', async () => {
    await using world = await startWatchServer((response) => void response.write('x'.repeat(100_000)));
    await assert.rejects(world.all({ limits: { watchEventBytes: 50_000 } }), isCode('AnswerTooLarge'));
  });

  it('closes its connection when the reader leaves or aborts', async () => {
    const closed: Promise<void>[] = [];
    await using world = await startWatchServer((response) => {
      closed.push(new Promise((resolve) => response.on('close', resolve)));
      response.write(line('ADDED', aConfigMap('a')));
    });
    for await (const _ of watch(world.server.client())) break;
    await closed[0];
    const stop = new AbortController();
    const events = watch(world.server.client(), stop.signal)[Symbol.asyncIterator]();
    await events.next();
    const next = assert.rejects(events.next(), /enough/);
    stop.abort(new Error('enough'));
    await next;
    await closed[1];
  });
});
