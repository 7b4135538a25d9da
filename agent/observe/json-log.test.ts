import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { manualClock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import { createJsonLog, redactText } from './json-log.ts';

function logged(write: (log: ReturnType<typeof createJsonLog>) => void): Record<string, unknown> {
  const stream = new PassThrough();
  write(createJsonLog({ stream, clock: manualClock() }));
  return JSON.parse(String(stream.read()));
}

describe('the structured log', () => {
  it('writes one JSON line with time, level and fields', () => {
    const line = logged((log) => log.with({ operation: 'u1' }).info('copied', { bytes: 7 }));
    assert.deepEqual(line, {
      time: '2026-01-01T00:00:00.000Z',
      level: 'info',
      message: 'copied',
      operation: 'u1',
      bytes: 7,
    });
  });

  it('masks fields with telling names, at any depth', () => {
    const line = logged((log) => log.warn('x', { token: 'abc', nested: { password: 'p', host: 'h' } }));
    assert.equal(line.token, '[masked]');
    assert.equal(line.nested, '{"password":"[masked]","host":"h"}');
  });

  it('keeps an error code readable', () => {
    const line = logged((log) =>
      log.error('x', { code: 'PairNotReady', error: new StorkError({ code: 'A', message: 'b' }) }),
    );
    assert.equal(line.code, 'PairNotReady');
    assert.deepEqual(line.error, { code: 'A', message: 'b' });
  });

  for (const secret of [
    'stork1.eyJwYWlySWQiOiJhYmMifQ.1a2b',
    'Bearer abcdefghijkl',
    'eyJhbGciOiJSUzI1.eyJpc3MiOiJr.c2lnbmF0dXJl',
    '-----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY-----',
  ])
    it(`cuts ${secret.slice(0, 14)}… out of any text`, () =>
      assert.equal(redactText(`a ${secret} b`).includes(secret), false));

  it('drops lines below its level', () => {
    const stream = new PassThrough();
    createJsonLog({ stream, clock: manualClock() }).debug('quiet');
    assert.equal(stream.read(), null);
  });
});
