import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manualClock } from '../clock.ts';
import { type WorkQueueOptions, workQueue } from './work-queue.ts';

/** A queue whose work ends when the test says so. */
function aQueue(options: Partial<WorkQueueOptions> = {}) {
  const clock = manualClock();
  const started: string[] = [];
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const queue = workQueue({
    clock,
    random: () => 0,
    workers: 2,
    work: async (key, signal) => {
      started.push(key);
      const gate = Promise.withResolvers<void>();
      gates.set(key, gate);
      signal.addEventListener('abort', () => gate.resolve(), { once: true });
      await gate.promise;
    },
    ...options,
  });
  const end = async (key: string) => {
    gates.get(key)?.resolve();
    await clock.advance(0);
  };
  return { queue, clock, started, end };
}

describe('work queue', () => {
  it('queues a key once however often it is added', async () => {
    const { queue, started, clock } = aQueue();
    for (const key of ['a', 'b', 'a', 'a']) queue.add(key);
    assert.equal(queue.depth, 2);
    queue.start();
    await clock.advance(0);
    assert.deepEqual(started, ['a', 'b']);
    await queue.stop();
  });

  it('never works on one key twice at once, and runs it again when it was added meanwhile', async () => {
    const { queue, started, end } = aQueue();
    queue.start();
    queue.add('a');
    queue.add('a');
    queue.add('a');
    assert.deepEqual(started, ['a']);
    await end('a');
    assert.deepEqual(started, ['a', 'a']);
    await end('a');
    assert.deepEqual(started, ['a', 'a']);
    await queue.stop();
  });

  it('works on no more keys at once than it has workers', async () => {
    const { queue, started, end } = aQueue();
    queue.start();
    for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
    assert.deepEqual(started, ['a', 'b']);
    await end('b');
    assert.deepEqual(started, ['a', 'b', 'c']);
    await queue.stop();
  });

  it('holds a delayed key without a worker and takes the shorter of two delays', async () => {
    const { queue, started, clock } = aQueue();
    queue.start();
    queue.addAfter('a', 5000);
    queue.addAfter('a', 1000);
    queue.addAfter('a', 9000);
    await clock.advance(999);
    assert.deepEqual(started, []);
    await clock.advance(1);
    assert.deepEqual(started, ['a']);
    await queue.stop();
  });

  it('takes an added key at once although it was delayed, and only once', async () => {
    const { queue, started, clock, end } = aQueue();
    queue.start();
    queue.addAfter('a', 1000);
    queue.add('a');
    assert.deepEqual(started, ['a']);
    await end('a');
    await clock.advance(5000);
    assert.deepEqual(started, ['a']);
    await queue.stop();
  });

  it('keeps a delay that was asked for during the work', async () => {
    const { queue, started, clock, end } = aQueue();
    queue.start();
    queue.add('a');
    queue.addAfter('a', 1000);
    await end('a');
    assert.deepEqual(started, ['a']);
    await clock.advance(1000);
    assert.deepEqual(started, ['a', 'a']);
    await queue.stop();
  });

  it('doubles a key’s backoff with each failure, apart from other keys, until it is forgotten', () => {
    const { queue } = aQueue();
    assert.deepEqual(
      [1, 2, 3].map(() => queue.addWithBackoff('a')),
      [1000, 2000, 4000],
    );
    assert.equal(queue.addWithBackoff('b'), 1000);
    queue.forget('a');
    assert.equal(queue.addWithBackoff('a'), 1000);
    for (let count = 0; count < 100; count += 1) queue.addWithBackoff('a');
    assert.equal(queue.addWithBackoff('a'), 300_000);
  });

  it('refuses a new key beyond its limit but takes a known one', () => {
    const { queue } = aQueue({ limit: 2 });
    queue.add('a');
    queue.addAfter('b', 1000);
    assert.throws(() => queue.add('c'), { code: 'QueueFull', retryable: true });
    queue.add('b');
    assert.equal(queue.depth, 2);
  });

  it('aborts and awaits running work on stop and starts nothing more', async () => {
    const { queue, started, clock } = aQueue({ workers: 1 });
    queue.start();
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 10);
    await queue.stop();
    queue.add('d');
    await clock.advance(100);
    assert.deepEqual(started, ['a']);
  });
});
