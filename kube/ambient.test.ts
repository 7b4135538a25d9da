import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { ambientOf, type HostProcess } from './ambient.ts';

class Exited extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

function aProcess() {
  const signals = new EventEmitter();
  const host: HostProcess = {
    env: { HOME: '/home/a' },
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    on: (event, listener) => signals.on(event, listener),
    exit: (code) => {
      throw new Exited(code);
    },
  };
  return { host, send: (name: 'SIGINT' | 'SIGTERM') => signals.emit(name, name) };
}

describe('ambientOf', () => {
  it('asks to stop at the first signal and ends the process at the second', () => {
    const { host, send } = aProcess();
    const { signal } = ambientOf(host, '1.2.3');
    send('SIGTERM');
    assert.equal(signal.aborted, true);
    assert.equal(signal.reason, 'SIGTERM');
    assert.throws(() => send('SIGINT'), { code: 130 });
    assert.throws(() => send('SIGTERM'), { code: 143 });
  });

  it('spreads chance over [0, 1) and never repeats an id', () => {
    const { random, randomUuid } = ambientOf(aProcess().host, '1.2.3');
    const drawn = Array.from({ length: 200 }, random);
    assert.ok(drawn.every((value) => value >= 0 && value < 1));
    assert.ok(Math.max(...drawn) > 0.7 && Math.min(...drawn) < 0.3);
    assert.equal(new Set(Array.from({ length: 100 }, randomUuid)).size, 100);
  });
});
