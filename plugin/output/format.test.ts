import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { evaluateJsonPath } from './evaluate-jsonpath.ts';
import { formatBytes } from './format-bytes.ts';
import { formatDuration, formatElapsed, formatTime } from './format-time.ts';
import { renderTable } from './render-table.ts';

describe('sizes', () => {
  for (const [bytes, text] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [327_155_712, '312 MiB'],
    [1024 ** 3 - 1, '1 GiB'],
    [5.25 * 1024 ** 4, '5.25 TiB'],
    [-1, '0 B'],
  ] as const) {
    it(`${bytes} is ${text}`, () => assert.equal(formatBytes(bytes), text));
  }
});

describe('times', () => {
  it('are RFC 822 in UTC, whatever zone they came in', () => {
    assert.equal(formatTime('2019-07-09T02:15:59Z'), '09 Jul 19 02:15 UTC');
    assert.equal(formatTime('2019-07-09T04:15:59+02:00'), '09 Jul 19 02:15 UTC');
    assert.equal(formatTime(undefined), '');
    assert.equal(formatTime('soon'), '');
  });

  for (const [ms, text] of [
    [0, '0s'],
    [999, '0s'],
    [76_000, '1m16s'],
    [3_600_000, '1h0m0s'],
    [93_784_000, '26h3m4s'],
    [-5, '0s'],
  ] as const) {
    it(`${ms} ms are ${text}`, () => assert.equal(formatDuration(ms), text));
  }

  it('elapse until the end, or until now', () => {
    const now = new Date('2019-07-09T03:00:00Z');
    assert.equal(formatElapsed('2019-07-09T02:04:00Z', '2019-07-09T02:05:16Z', now), '1m16s');
    assert.equal(formatElapsed('2019-07-09T02:59:55Z', undefined, now), '5s');
    assert.equal(formatElapsed(undefined, undefined, now), '');
  });
});

describe('jsonpath', () => {
  const object = { a: { b: 'x', 'c.d': 1 }, list: [{ n: 1 }, { n: 2 }], flag: true };
  for (const [template, text] of [
    ['{.a.b}', 'x'],
    ['{$.a.b}', 'x'],
    ["{.a['c.d']}", '1'],
    ['{.list[1].n}', '2'],
    ['{.list[*].n}', '1 2'],
    ['{.list}', '[{"n":1},{"n":2}]'],
    ['{.missing.deeper}', ''],
    ['{.constructor}', ''],
    ['b={.a.b}{"\\n"}f={.flag}', 'b=x\nf=true'],
    ['{.}', JSON.stringify(object)],
  ] as const) {
    it(`${template} is ${JSON.stringify(text)}`, () => assert.equal(evaluateJsonPath(template, object), text));
  }

  it('refuses what it does not know', () => {
    assert.throws(() => evaluateJsonPath('{range .list[*]}', object), { code: 'BadFlag' });
    assert.throws(() => evaluateJsonPath('{.list[?(@.n==1)]}', object), { code: 'BadFlag' });
  });
});

describe('a table', () => {
  it('aligns its columns and ends its lines where the text ends', () => {
    assert.equal(
      renderTable(
        ['A', 'LONGER'],
        [
          ['aaaa', ''],
          ['b', 'c'],
        ],
      ),
      'A      LONGER\naaaa\nb      c',
    );
    assert.equal(renderTable(['LONGER'], [['b']], { headers: 'Hide' }), 'b');
  });
});
