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
        const fd = openSync(`${to}/db/table`, 'r+');
        writeSync(fd, Buffer.from('!'), 0, 1, 5_000_000);
        closeSync(fd);
        lutimesSync(`${to}/db/table`, atime, mtime);
      },
    });
    await assert.rejects(updated, { code: 'VerifyMismatch' });
    assert.ok(wrote);
  });
});
