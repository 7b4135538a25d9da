/** Scripted faults: before the server saw the call, after it, and a process that dies at a write. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../client/core.ts';
import { manualClock } from '../clock.ts';
import { StorkError } from '../errors.ts';
import { fakeApiServer } from './fake-api-server.ts';
import { faulty } from './faulty.ts';

const object = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } });
const isLost = (error: unknown) => error instanceof StorkError && error.code === 'ApiServerUnreachable';

function aFaultyClient() {
  const server = fakeApiServer({ clock: manualClock() });
  const names = () =>
    server
      .objects()
      .filter((one) => one.kind === 'ConfigMap')
      .map((one) => one.metadata.name);
  return { client: faulty(server.client()), names };
}

describe('faulty', () => {
  it('rejects the next calls of a verb as scripted, also under another identity', async () => {
    const { client, names } = aFaultyClient();
    client.next('create', new Error('first'));
    client.next('create', new Error('second'));
    await assert.rejects(client.create(core.configMaps, object('a')), /first/);
    await assert.rejects(client.as({ user: 'x' }).create(core.configMaps, object('a')), /second/);
    await client.create(core.configMaps, object('a'));
    assert.deepEqual(names(), ['a']);
  });

  it('loses the answer of a call that took effect', async () => {
    const { client, names } = aFaultyClient();
    client.loseNextReply('create');
    await assert.rejects(client.create(core.configMaps, object('a')), isLost);
    assert.deepEqual(names(), ['a']);
  });

  it('dies before or after a write, and answers nothing from then on', async () => {
    for (const [moment, expected] of [
      ['Before', ['a']],
      ['After', ['a', 'b']],
    ] as const) {
      const { client, names } = aFaultyClient();
      client.dieAtWrite(2, moment);
      await client.create(core.configMaps, object('a'));
      await assert.rejects(client.create(core.configMaps, object('b')), isLost);
      await assert.rejects(client.get(core.configMaps, object('a').metadata), isLost);
      assert.deepEqual(names(), expected);
    }
  });

  it('fails a list page and a watch too', async () => {
    const { client } = aFaultyClient();
    client.next('listPage', new Error('page'));
    await assert.rejects(client.list(core.configMaps)[Symbol.asyncIterator]().next(), /page/);
    client.next('watch', new Error('watch'));
    await assert.rejects(
      client.watch(core.configMaps, { resourceVersion: '0' })[Symbol.asyncIterator]().next(),
      /watch/,
    );
  });
});
