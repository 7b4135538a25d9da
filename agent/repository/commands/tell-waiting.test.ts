import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { memoryStore } from '../store/memory-store.ts';
import { retryStore } from '../store/retry-store.ts';
import { type StoreError, unavailable } from '../store/store-error.ts';
import { instantClock } from '../store/testing/instant-clock.ts';
import { tellWaiting } from './tell-waiting.ts';

/** What is told while so many tries fail. */
async function toldOf(failures: number, failure: StoreError): Promise<readonly string[]> {
  const clock = instantClock();
  const told: string[] = [];
  const store = memoryStore(new Map([['config', Buffer.of(1)]]));
  let left = failures;
  const get = async () => {
    if (left-- > 0) throw failure;
    return Buffer.of(1);
  };
  const onRetry = tellWaiting('s3:http://h/b', clock, (line) => told.push(line));
  await retryStore({ ...store, get }, { clock, random: () => 0, onRetry })
    .get('config')
    .catch(() => undefined);
  return told;
}

describe('what is said while a store does not answer', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:9000'), { code: 'ECONNREFUSED' });

  it('is nothing while it passes within seconds', async () => {
    assert.deepEqual(await toldOf(3, unavailable('test', 'config')), []);
  });

  it('is one line with place, time and reason for a place nobody has reached', async () => {
    const told = await toldOf(Number.POSITIVE_INFINITY, unavailable('Error', 'config', { cause: refused }));
    assert.deepEqual(told, ['waiting for s3:http://h/b, up to 30 s: connect ECONNREFUSED 10.0.0.1:9000']);
  });

  it('comes once a minute while it lasts', async () => {
    const told = await toldOf(Number.POSITIVE_INFINITY, unavailable('SlowDown (503)\nmore', 'config'));
    assert.equal(told[0], 'waiting for s3:http://h/b, up to 15 minutes: The store failed: SlowDown (503)');
    assert.ok(told.length > 5 && told.length <= 15, `${told.length} lines`);
  });
});
