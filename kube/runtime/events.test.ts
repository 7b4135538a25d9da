import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core, type Event } from '../client/core.ts';
import { manualClock } from '../clock.ts';
import { ApiError } from '../errors.ts';
import { fakeApiServer } from '../fake/fake-api-server.ts';
import { faulty } from '../fake/faulty.ts';
import { memoryLog } from '../log.ts';
import { type EventRecorderOptions, eventRecorder } from './events.ts';

const regarding = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'db', namespace: 'default', uid: 'u1' } };
const told = { regarding, type: 'Normal', reason: 'Started', message: 'it started' } as const;

function aRecorder(options: Partial<EventRecorderOptions> = {}) {
  const clock = manualClock();
  const client = faulty(fakeApiServer({ clock }).client());
  const log = memoryLog();
  let ids = 0;
  const newId = () => `${++ids}`;
  const recorder = eventRecorder({ client, clock, log, component: 'stork-agent', newId, ...options });
  const events = async () => {
    await recorder.flush();
    const found: Event[] = [];
    for await (const event of client.list(core.events)) found.push(event);
    return found;
  };
  return { clock, client, log, recorder, events };
}

describe('event recorder', () => {
  it('tells an event about its object, in its namespace', async () => {
    const { recorder, events } = aRecorder();
    recorder.record(told);
    const [event] = await events();
    assert.equal(event?.metadata.namespace, 'default');
    assert.deepEqual(event?.involvedObject, {
      apiVersion: 'v1',
      kind: 'Pod',
      name: 'db',
      namespace: 'default',
      uid: 'u1',
    });
    assert.deepEqual(
      [event?.type, event?.reason, event?.message, event?.count],
      ['Normal', 'Started', 'it started', 1],
    );
  });

  it('counts a repeated event, until it is too long ago', async () => {
    const { clock, recorder, events } = aRecorder();
    recorder.record(told);
    await clock.advance(60_000);
    recorder.record(told);
    const [event, ...more] = await events();
    assert.deepEqual([event?.count, event?.lastTimestamp, more.length], [2, '2026-01-01T00:01:00Z', 0]);
    await clock.advance(700_000);
    recorder.record(told);
    assert.equal((await events()).length, 2);
  });

  it('tells a counted event anew when somebody removed it', async () => {
    const { client, recorder, events } = aRecorder();
    recorder.record(told);
    const [event] = await events();
    assert.ok(event);
    await client.delete(core.events, event.metadata);
    recorder.record(told);
    assert.deepEqual(
      (await events()).map((one) => one.count),
      [1],
    );
  });

  it('folds ever new messages of one reason into one counted event', async () => {
    const { recorder, events } = aRecorder();
    for (let number = 1; number <= 30; number += 1) recorder.record({ ...told, message: `try ${number}` });
    const found = await events();
    assert.equal(found.length, 11);
    assert.equal(found.find((event) => event.message?.startsWith('several'))?.count, 20);
  });

  it('puts events of cluster-scoped objects into default', async () => {
    const { recorder, events } = aRecorder();
    recorder.record({ ...told, regarding: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } } });
    assert.equal((await events())[0]?.metadata.namespace, 'default');
  });

  it('never fails its caller: an event that can’t be told is logged, the next one is told', async () => {
    const { client, recorder, events, log } = aRecorder();
    client.next('create', new ApiError({ code: 403, reason: 'Forbidden', message: 'no' }, 'events'));
    recorder.record(told);
    recorder.record({ ...told, reason: 'Other' });
    assert.deepEqual(
      (await events()).map((event) => event.reason),
      ['Other'],
    );
    assert.equal(log.lines[0]?.message, 'an event was not recorded');
  });

  it('drops what its queue can’t hold, and says how many', async () => {
    const { recorder, events, log } = aRecorder({ queueLimit: 3 });
    for (let number = 0; number < 10; number += 1) recorder.record({ ...told, reason: `R${number}` });
    assert.equal((await events()).length, 4, 'one on its way, three waiting');
    assert.deepEqual(log.lines.at(-1)?.fields, { dropped: 6 });
  });

  it('ends without a word when it is disposed', async () => {
    const { recorder } = aRecorder();
    recorder.record(told);
    await recorder[Symbol.asyncDispose]();
    recorder.record(told);
    await recorder.flush();
  });
});
