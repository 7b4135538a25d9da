import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { goModeOf, unixModeOf } from './go-mode.ts';
import { quoteName, unquoteName } from './go-name.ts';
import { formatTime, parseTime } from './go-time.ts';
import { isIrreducible, parsePolynomial, randomPolynomial } from './polynomial.ts';
import { nodeTypes } from './tree.ts';

const bytesOf = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

describe('names as Go quotes them', () => {
  const known: readonly (readonly [string, string])[] = [
    ['plain', 'plain'],
    ['with space', 'with space'],
    ['\xff\xfe', '\\xff\\xfe'],
    ['tab\tnew\nline', 'tab\\tnew\\nline'],
    ['"quoted\\"', '\\"quoted\\\\\\"'],
    ['\x00\x01\x7f', '\\x00\\x01\\x7f'],
    [bytesOf('ü\u{1f600}'), 'ü\u{1f600}'],
    [bytesOf('\u200b\u00a0'), '\\u200b\\u00a0'],
    [bytesOf('\u{e0001}'), '\\U000e0001'],
    // A lone half of a surrogate pair is no UTF-8; neither is an overlong slash.
    ['\xed\xa0\x80', '\\xed\\xa0\\x80'],
    ['\xc0\xaf', '\\xc0\\xaf'],
    ['\xe2\x82', '\\xe2\\x82'],
  ];
  for (const [name, quoted] of known) {
    it(`${quoted}`, () => {
      assert.equal(quoteName(name), quoted);
      assert.equal(unquoteName(quoted, 'here'), name);
    });
  }

  it('come back for each single byte and pair of bytes', () => {
    for (let first = 0; first < 256; first++)
      for (const second of ['', 'a', '\x80', '\xbf', '\\', '"', '\xff']) {
        const name = `${String.fromCharCode(first)}${second}`;
        assert.equal(unquoteName(quoteName(name), 'here'), name);
      }
  });

  for (const quoted of ['\\', '\\q', '\\x4', '\\u12', '\\ud800', '\\U00110000', 'a"b']) {
    it(`refuse ${quoted}`, () => assert.throws(() => unquoteName(quoted, 'here'), { code: 'RepositoryDamaged' }));
  }
});

describe('times as Go writes them', () => {
  for (const [ns, text] of [
    [0n, '1970-01-01T00:00:00Z'],
    [1n, '1970-01-01T00:00:00.000000001Z'],
    [-1n, '1969-12-31T23:59:59.999999999Z'],
    [-5_000_000_001n, '1969-12-31T23:59:54.999999999Z'],
    [1_234_567_890_120_000_000n, '2009-02-13T23:31:30.12Z'],
    [-30_610_224_000_000_000_000n, '1000-01-01T00:00:00Z'],
    [-30_610_224_000_000_000_001n, '0999-12-31T23:59:59.999999999Z'],
    [1_709_210_096_000_000_000n, '2024-02-29T12:34:56Z'],
    [253_402_300_799_000_000_007n, '9999-12-31T23:59:59.000000007Z'],
  ] as const) {
    it(text, () => {
      assert.equal(formatTime(ns), text);
      assert.equal(parseTime(text, 'here'), ns);
    });
  }

  it('in another zone are the same instant', () => {
    assert.equal(parseTime('2022-08-14T12:00:00.5+02:00', 'here'), parseTime('2022-08-14T10:00:00.5Z', 'here'));
    assert.equal(parseTime('2022-08-14T10:00:00-11:30', 'here'), parseTime('2022-08-14T21:30:00Z', 'here'));
  });

  it('beyond what Go can write become the nearest', () => {
    assert.match(formatTime(10n ** 21n), /^9999-12-31T23:59:59/);
    assert.match(formatTime(-(10n ** 21n)), /^0001-01-01T00:00:00/);
  });

  const notTimes = ['', 'yesterday', '2022-13-01T00:00:00Z', '2022-08-14T12:00:00', '2022-08-14 12:00:00Z'];
  const almost = ['2022-00-14T12:00:00Z', '2022-08-00T12:00:00Z', '2022-08-14T25:00:00Z', '2022-08-14T12:60:00Z'];
  const points = [
    '2022-08-14T12:00:00.Z',
    '2022-08-14T12:00:00.1234567890Z',
    '2022-08-14T12:00:00,5Z',
    '2022-08-14T12:00:00.5+Z',
  ];
  for (const text of [...notTimes, ...almost, ...points, '2022-08-14T12:00:0Z', '+022-08-14T12:00:00Z'])
    it(`refuse ${JSON.stringify(text)}`, () =>
      assert.throws(() => parseTime(text, 'here'), { code: 'RepositoryDamaged', about: 'here' }));
});

describe('modes as Go keeps them', () => {
  it('come back with setuid, setgid and sticky, for every type', () => {
    for (const type of nodeTypes)
      for (const mode of [0, 0o644, 0o7777, 0o4711, 0o2755, 0o1777])
        assert.equal(unixModeOf(goModeOf(type, mode)), mode);
  });

  it('are what os.FileMode prints', () => {
    assert.equal(goModeOf('dir', 0o1777), 2 ** 31 + 2 ** 20 + 0o777);
    assert.equal(goModeOf('file', 0o4755), 2 ** 23 + 0o755);
    assert.equal(goModeOf('chardev', 0o666), 2 ** 26 + 2 ** 21 + 0o666);
  });
});

describe("the chunker's polynomial", () => {
  it('is irreducible, of degree 53', () => {
    // From restic's own documentation of its chunker.
    assert.ok(isIrreducible(0x3da3358b4dc173n));
    assert.ok(!isIrreducible(0x3da3358b4dc171n));
    let state = 1;
    const fakeRandom = (size: number) =>
      Uint8Array.from({ length: size }, () => (state = (state * 16_807) % 2_147_483_647));
    assert.ok(isIrreducible(randomPolynomial(fakeRandom)));
  });

  it('is refused with another degree', () => {
    for (const text of ['', '3', 'zz', '7fffffffffffff', 'ffffffffffffffffff'])
      assert.equal(parsePolynomial(text), undefined);
  });
});
