/** What tests can do to open watches, and what happens to them by themselves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { WatchEvent } from '../client/client.ts';
import { type ConfigMap, core } from '../client/core.ts';
import { manualClock } from '../clock.ts';
import { isGone, StorkError } from '../errors.ts';
import { fakeApiServer } from './fake-api-server.ts';
import { bookmarkEveryMs, watchLifeMs } from './fake-watch.ts';

async function aWatch() {
  const clock = manualClock();
  const server = fakeApiServer({ clock });
  const client = server.client();
  const { resourceVersion } = await client.listPage(core.configMaps);
  const events = client.watch(core.configMaps, { resourceVersion })[Symbol.asyncIterator]();
  const change = (name: string) =>
    client.create(core.configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } });
  /** The next event, once the watch is open. */
  const next = async () => {
    const waiting = events.next();
    await clock.advance(0);
    return waiting;
  };
  return { clock, server, client, events, change, next };
}

const told = (result: IteratorResult<WatchEvent<ConfigMap>>) => {
  if (result.done === true) return 'end';
  return result.value.type === 'BOOKMARK' ? 'BOOKMARK' : `${result.value.type} ${result.value.object.metadata.name}`;
};

describe('watches of the fake', () => {
  it('get bookmarks every minute, and end after a while', async () => {
    const { clock, events, server } = await aWatch();
    const first = events.next();
    await clock.advance(bookmarkEveryMs);
    assert.equal(told(await first), 'BOOKMARK');
    const rest: string[] = [];
    const reading = (async () => {
      for (let result = await events.next(); result.done !== true; result = await events.next())
        rest.push(told(result));
    })();
    await clock.advance(watchLifeMs - bookmarkEveryMs);
    await reading;
    assert.deepEqual(new Set(rest), new Set(['BOOKMARK']));
    assert.equal(server.watches.count, 0);
  });

  it('break when dropped, end when ended, and a new one goes on from where the old one was', async () => {
    const { clock, server, client, events, change } = await aWatch();
    const broken = assert.rejects(
      events.next(),
      (error) => error instanceof StorkError && error.code === 'ApiServerUnreachable',
    );
    await clock.advance(0);
    assert.equal(server.watches.count, 1);
    const { resourceVersion = '' } = await client.listPage(core.configMaps);
    server.watches.drop();
    await broken;
    await change('missed');
    const again = client.watch(core.configMaps, { resourceVersion })[Symbol.asyncIterator]();
    assert.equal(told(await again.next()), 'ADDED missed');
    const ended = again.next();
    await clock.advance(0);
    server.watches.end();
    assert.equal(told(await ended), 'end');
  });

  it('withhold events while stalled', async () => {
    const { clock, server, events, change } = await aWatch();
    const first = events.next();
    await clock.advance(0);
    server.watches.stall();
    await change('slow');
    const early = await Promise.race([first.then(told), clock.advance(1000).then(() => 'nothing')]);
    assert.equal(early, 'nothing');
    server.watches.resume();
    assert.equal(told(await first), 'ADDED slow');
  });

  it('can’t begin before forgotten history, nor lists go on', async () => {
    const { server, client, change } = await aWatch();
    for (const name of ['a', 'b', 'c']) await change(name);
    const { resourceVersion, continueToken } = await client.listPage(core.configMaps, { pageSize: 1 });
    await change('d');
    server.expireHistory();
    const old = client.watch(core.configMaps, { resourceVersion })[Symbol.asyncIterator]();
    await assert.rejects(old.next(), isGone);
    await assert.rejects(client.listPage(core.configMaps, { pageSize: 1, continueToken }), isGone);
  });
});
