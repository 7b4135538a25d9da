import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import {
  type MoverResult,
  moverExitCode,
  moverResultLimitBytes,
  parseGateAnswer,
  parseMoverReport,
  parseMoverResult,
  renderMoverResult,
  reportedVolumes,
} from './contract.ts';
import { chanceBytes, seededChance } from './testing/test-volumes.ts';

const aVolume = (name: string) => ({
  name,
  digest: `tree2:${'a'.repeat(64)}`,
  files: 1_000_000,
  bytes: 2 ** 40,
  bytesRead: 2 ** 40,
  bytesSent: 2 ** 39,
  blocksSent: 2 ** 25,
  warnings: { changed: 10, grew: 20 },
  degraded: { xattr: 3 },
  sent: 'ab'.repeat(8),
});

const aResult = (fields: Partial<MoverResult> = {}): MoverResult => ({
  version: 1,
  run: 'run-1',
  role: 'destination',
  outcome: 'Complete',
  code: 'Complete',
  message: 'copied',
  retryable: false,
  scratchBytes: undefined,
  volumes: [aVolume('data')],
  ...fields,
});

describe('the mover contract', () => {
  it('reads back the result that it writes', () => {
    assert.deepEqual(parseMoverResult(renderMoverResult(aResult())), aResult());
  });

  it('fits a result with ten volumes and a long message into a termination message', () => {
    const volumes = Array.from({ length: 10 }, (_, at) => aVolume(`www-data-of-a-stateful-set-${at}`));
    const text = renderMoverResult(aResult({ volumes, message: 'x'.repeat(2000) }));
    assert.ok(Buffer.byteLength(text) <= moverResultLimitBytes);
    assert.equal(parseMoverResult(text).volumes.length, 10);
  });

  it('fits thirty volumes with long names and counts of many kinds, packed', () => {
    const chance = seededChance(7);
    const hex = (bytes: number) => chanceBytes(chance, bytes).toString('hex');
    const volumes = Array.from({ length: 30 }, (_, at) => ({
      ...aVolume(`the-data-of-a-large-stateful-set-of-somebody-${at}-0`),
      ...{
        digest: `tree2:${hex(32)}`,
        sent: hex(8),
        bytes: 2 ** 41 + at * 7919,
        warnings: { changed: at, vanished: 3 },
      },
    }));
    const text = renderMoverResult(aResult({ volumes, message: 'x'.repeat(2000) }));
    assert.ok(Buffer.byteLength(text) <= moverResultLimitBytes, `${Buffer.byteLength(text)}`);
    assert.deepEqual(
      parseMoverResult(text).volumes.map(({ name, digest, sent, bytes }) => ({ name, digest, sent, bytes })),
      volumes.map(({ name, digest, sent, bytes }) => ({ name, digest, sent, bytes })),
    );
  });

  it('says that it failed when even so the volumes do not fit', () => {
    const chance = seededChance(8);
    const volumes = Array.from({ length: 200 }, () => aVolume(chanceBytes(chance, 100).toString('hex')));
    const read = parseMoverResult(renderMoverResult(aResult({ volumes })));
    assert.deepEqual([read.outcome, read.code, read.retryable], ['Failed', 'TooManyVolumes', false]);
  });

  it('refuses what is packed wrongly, or is too much unpacked', () => {
    const bomb = `deflate,${deflateRawSync(Buffer.alloc(1024 * 1024, 32)).toString('base64')}`;
    for (const text of ['deflate,', 'deflate,!!', bomb])
      assert.throws(() => parseMoverResult(text), { code: 'InvalidMoverMessage' });
  });

  it('retries by exit code only what another attempt can help', () => {
    assert.equal(moverExitCode(aResult()), 0);
    assert.equal(moverExitCode(aResult({ outcome: 'Failed', retryable: true })), 1);
    assert.equal(moverExitCode(aResult({ outcome: 'Failed', retryable: false })), 0);
  });

  it('reads the three answers of a gate', () => {
    assert.deepEqual(parseGateAnswer('{"state":"Go"}'), { state: 'Go' });
    assert.deepEqual(parseGateAnswer('{"state":"Wait","retryAfterMs":5}'), { state: 'Wait', retryAfterMs: 5 });
    assert.deepEqual(parseGateAnswer('{"state":"Refused","reason":"busy"}'), { state: 'Refused', reason: 'busy' });
  });

  it('reads a report, with or without volumes, and takes no more of them than fit', () => {
    const figures = { bytesDone: 1, bytesTotal: 2, bytesSent: 3, filesDone: 4, filesTotal: 5 };
    const report = { version: 1, run: 'r', role: 'source', phase: 'Copying', ...figures };
    assert.equal(parseMoverReport(JSON.stringify(report)).volumes, undefined);
    const volume = { name: 'v'.repeat(253), bytesRead: 2 ** 52, bytesSent: 2 ** 52 };
    const volumes = Array.from({ length: reportedVolumes }, () => volume);
    assert.deepEqual(parseMoverReport(JSON.stringify({ ...report, volumes })).volumes, volumes);
    const tooMany = JSON.stringify({ ...report, volumes: [...volumes, volume] });
    assert.throws(() => parseMoverReport(tooMany), { code: 'InvalidMoverMessage' });
  });

  const misshapen = [
    '',
    'null',
    '[]',
    '{}',
    '{"state":"Maybe"}',
    '{"state":"Wait"}',
    '{"state":"Wait","retryAfterMs":-1}',
  ];
  for (const text of misshapen) {
    it(`refuses ${text === '' ? 'nothing' : text} as a gate's answer`, () => {
      assert.throws(() => parseGateAnswer(text), { code: 'InvalidMoverMessage' });
    });
  }

  it('refuses what is too large or of another version', () => {
    assert.throws(() => parseMoverResult('x'.repeat(5000)), { code: 'InvalidMoverMessage' });
    assert.throws(() => parseMoverReport('{"version":2}'), { code: 'InvalidMoverMessage' });
  });
});
