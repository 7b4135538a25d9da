import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { memoryStore } from './memory-store.ts';
import type { ObjectStore } from './object-store.ts';
import { type RetryOptions, retryLimits, unattendedLimits } from './patience.ts';
import { restStore } from './rest-store.ts';
import { retryStore } from './retry-store.ts';
import { type StoreError, storeRefused, unavailable } from './store-error.ts';
import { instantClock } from './testing/instant-clock.ts';

const failure = (code: string) => Object.assign(new Error(`connect ${code} 10.0.0.1:9000`), { code });
const unanswered = (code: string) => unavailable('Error', 'config', { cause: failure(code) });

/** Fails as long as told. */
function broken(error: { current: StoreError | undefined }): ObjectStore {
  const store = memoryStore(new Map([['config', Buffer.of(1)]]));
  const call = async <Result>(run: () => Promise<Result>) => {
    if (error.current !== undefined) throw error.current;
    return await run();
  };
  return {
    ...store,
    description: 's3:http://10.0.0.1:9000/bucket',
    get: (...args) => call(() => store.get(...args)),
    put: (...args) => call(() => store.put(...args)),
  };
}

function opened(first: StoreError | undefined, onRetry?: RetryOptions['onRetry']) {
  const error = { current: first };
  const clock = instantClock();
  const options = { clock, random: () => 0, ...(onRetry === undefined ? {} : { onRetry }) };
  return { error, clock, store: retryStore(broken(error), options) };
}

describe('patience with a store', () => {
  const cases = [
    ['ECONNREFUSED', 30_000, 'Nothing listens where the store should be', /port/],
    ['EHOSTUNREACH', 30_000, 'The store does not answer', /firewalls/],
    ['ECONNRESET', 30_000, 'The store does not answer', /http or https/],
    ['EAI_AGAIN', 30_000, 'The store does not answer', /address/],
    ['ENOTFOUND', 5_000, 'The store has a host that nobody knows by that name', /name servers/],
  ] as const;
  for (const [code, withinMs, message, hint] of cases)
    it(`that nobody has reached ends within ${withinMs / 1000} s, says where it was looked for and what to look at: ${code}`, async () => {
      const { store, clock } = opened(unanswered(code));
      const about = 's3:http://10.0.0.1:9000/bucket';
      await assert.rejects(store.get('config'), { code: 'StoreUnreachable', message, about, hint, retryable: true });
      assert.ok(clock.monotonicMs() <= withinMs, `${clock.monotonicMs()} ms`);
      assert.ok(clock.monotonicMs() > withinMs / 2, 'a server that is being started is waited for');
    });

  it('of what nobody waits for lasts as long as ever, and the error says the same', async () => {
    const clock = instantClock();
    const error = { current: unanswered('ENOTFOUND') };
    const store = retryStore(broken(error), { clock, random: () => 0, limits: unattendedLimits });
    await assert.rejects(store.get('config'), { code: 'StoreUnreachable', hint: /name servers/ });
    assert.ok(clock.monotonicMs() > retryLimits.giveUpAfterMs - retryLimits.backoff.maxMs);
  });

  it('that has answered once lasts as long as ever, for every call', async () => {
    const { store, clock, error } = opened(undefined);
    await store.get('config');
    error.current = unanswered('ECONNREFUSED');
    for (const call of [() => store.get('config'), () => store.put('data/1', Buffer.of(1))]) {
      const beganMs = clock.monotonicMs();
      await assert.rejects(call(), { code: 'StoreUnavailable' });
      assert.ok(clock.monotonicMs() - beganMs > retryLimits.giveUpAfterMs - retryLimits.backoff.maxMs);
    }
  });

  it('lasts as long as ever where a server answers, even if it is that it can not now', async () => {
    for (const answer of [unavailable('SlowDown (503)', 'config'), storeRefused('403', 'config', 'Rights.')]) {
      const { store, clock, error } = opened(answer);
      await assert.rejects(store.get('config'), { code: answer.code });
      error.current = unanswered('ECONNREFUSED');
      const beganMs = clock.monotonicMs();
      await assert.rejects(store.get('config'), { code: 'StoreUnavailable' });
      assert.ok(clock.monotonicMs() - beganMs > retryLimits.giveUpAfterMs - retryLimits.backoff.maxMs);
    }
  });

  it('finds why nobody answered below the errors of an SDK and those of each address of a name', async () => {
    const both = new AggregateError([failure('ECONNREFUSED'), failure('ECONNREFUSED')]);
    const { store } = opened(unavailable('Error', 'config', { cause: new Error('', { cause: both }) }));
    await assert.rejects(store.get('config'), { code: 'StoreUnreachable', cause: both.errors[0] });
  });

  it('ends for a port of this machine where nothing listens', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = Object(taken.address());
    await new Promise((resolve) => taken.close(resolve));
    const url = `http://127.0.0.1:${port}/`;
    const bare = restStore({
      ...{ url, description: `rest:${url}`, credentials: undefined },
      tls: { ca: undefined, fingerprint: undefined, client: undefined },
    });
    const clock = instantClock();
    const about = `rest:${url}`;
    await assert.rejects(retryStore(bare, { clock, random: () => 0 }).get('config'), {
      code: 'StoreUnreachable',
      about,
    });
    assert.ok(clock.monotonicMs() <= 30_000);
  });
});
