import assert from 'node:assert/strict';
import { closeSync, lutimesSync, openSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { copiedOnce } from './testing/copied-once.ts';
import { digestOf, scratch } from './testing/test-volumes.ts';

/** What changed a moment before a scan is read twice. */
const settledMs = 2_200;

describe('the last look at an updated volume', () => {
  it('reads again what the update wrote, and not what was left alone since it was scanned', async () => {
    using space = scratch();
    const { from, to, update } = await copiedOnce(space);
    await pause(settledMs);
    writeFileSync(`${from}/db/deep/f7`, 'other');
    const { source, destination } = await update();
    assert.equal(destination.digest, source.digest);
    assert.equal((await digestOf(to)).digest, source.digest);
    const { bytes, bytesRead } = destination;
    assert.ok(bytesRead >= bytes - 1000 && bytesRead < bytes * 1.1, `read ${bytesRead} of ${bytes}`);
  });

  it('notices one byte that somebody wrote meanwhile into a file that looks as it did', async () => {
    using space = scratch();
    const { from, to, update } = await copiedOnce(space);
    await pause(settledMs);
    writeFileSync(`${from}/db/deep/f7`, 'other');
    let wrote = false;
    const updated = update({
      onProgress: ({ phase }) => {
        if (phase !== 'Applying' || wrote) return;
        wrote = true;
        const { atime, mtime } = statSync(`${to}/db/table`);
        writeByte(`${to}/db/table`, 5_000_000);
        lutimesSync(`${to}/db/table`, atime, mtime);
      },
    });
    await assert.rejects(updated, { code: 'VerifyMismatch' });
    assert.ok(wrote);
  });

  for (const { what, phase, at } of [
    { what: 'beside what the update writes to the same file, before it', phase: 'Applying', at: 5_000_000 },
    { what: 'into what the update has written', phase: 'Verifying', at: 9_000_000 },
    { what: 'beside what the update has written', phase: 'Verifying', at: 9_100_000 },
  ] as const)
    it(`notices one byte that somebody wrote ${what}`, async () => {
      using space = scratch();
      const { from, to, update } = await copiedOnce(space);
      await pause(settledMs);
      writeByte(`${from}/db/table`, 9_000_001);
      let wrote = false;
      const updated = update({
        onProgress: (progress) => {
          if (progress.phase !== phase || wrote) return;
          wrote = true;
          const { atime, mtime } = statSync(`${to}/db/table`);
          writeByte(`${to}/db/table`, at);
          lutimesSync(`${to}/db/table`, atime, mtime);
        },
      });
      await assert.rejects(updated, { code: 'VerifyMismatch' });
      assert.ok(wrote);
    });

  it('finds as sent a file that was changed in part by nobody else', async () => {
    using space = scratch();
    const { from, to, update } = await copiedOnce(space);
    await pause(settledMs);
    writeByte(`${from}/db/table`, 9_000_001);
    const { source, destination } = await update();
    assert.equal(destination.digest, source.digest);
    assert.equal((await digestOf(to)).digest, source.digest);
  });
});

function writeByte(path: string, at: number): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.from('!'), 0, 1, at);
  closeSync(fd);
}
