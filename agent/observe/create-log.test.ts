import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manualClock } from '../../kube/clock.ts';
import { StorkError } from '../../kube/errors.ts';
import { createLog, type LogLevel } from './create-log.ts';

function logged(level: LogLevel = 'info') {
  const lines: string[] = [];
  return { log: createLog({ write: (line) => void lines.push(line), clock: manualClock(), level }), lines };
}

describe('the log', () => {
  it('writes one JSON object a line, with the fields of its context', () => {
    const { log, lines } = logged();
    log.with({ operation: 'uid-1' }).info('copied', { volumes: 2, bytes: 5n });
    assert.equal(
      lines.join('\n'),
      '{"time":"2026-01-01T00:00:00.000Z","level":"info","message":"copied","operation":"uid-1","volumes":2,"bytes":"5"}',
    );
  });

  it('drops what is below its level', () => {
    const { log, lines } = logged('warn');
    log.info('quiet');
    log.warn('loud');
    assert.equal(lines.length, 1);
  });

  it('renders errors with code, hint and causes', () => {
    const { log, lines } = logged();
    const cause = new StorkError({ code: 'NotFound', message: 'no such claim' });
    log.error('failed', { error: new StorkError({ code: 'Refused', message: 'no', hint: 'ask', cause }) });
    const line = JSON.parse(lines[0] ?? '');
    assert.equal(line.code, 'Refused');
    assert.match(line.error, /ask[\s\S]*no such claim/);
  });

  const secrets: Readonly<Record<string, unknown>> = {
    'a pairing code in the text': { note: 'use stork1.eyJhbGciOiJub25lIn0.0badc0de now' },
    'a pairing code cut in half': { note: 'stork1.0badc0de' },
    'a token': { note: 'eyJhbGciOiJSUzI1NiJ9.0badc0de.sig' },
    'an authorization': { headers: { authorization: 'Bearer 0badc0de' } },
    'a bearer in a text': { note: 'sent Bearer 0badc0de0badc0de' },
    'a key': { note: '-----BEGIN PRIVATE KEY-----\n0badc0de\n-----END PRIVATE KEY-----' },
    'a password in a URL': { url: 'https://user:0badc0de@example.com/' },
    'a field named so': { dbPassword: '0badc0de', nested: [{ secret: { data: '0badc0de' } }] },
    'a Secret’s bytes': { bytes: Buffer.from('0badc0de') },
  };
  for (const [what, fields] of Object.entries(secrets)) {
    it(`never shows ${what}`, () => {
      const { log, lines } = logged();
      log.info('x', { fields });
      assert.equal(lines.length, 1);
      assert.equal(lines[0]?.includes('0badc0de'), false, lines[0]);
    });
  }

  it('survives values without end', () => {
    const { log, lines } = logged();
    const loop: Record<string, unknown> = {
      many: Array.from({ length: 1000 }, (_, index) => index),
      long: 'x'.repeat(1e6),
    };
    loop.self = loop;
    log.info('x', loop);
    assert.ok((lines[0]?.length ?? 0) < 100_000);
  });
});
