import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { DestinationOptions } from './destination-run.ts';
import { copiedOnce } from './testing/copied-once.ts';
import { chanceBytes, copyVolume, digestOf, type Scratch, scratch, seededChance } from './testing/test-volumes.ts';

/** Over soon, for tests in which somebody else writes after it. */
const shortLeaseMs = 200;

/**
 * An update that is killed while it is applied: some of the volume is of the new point, some of the old.
 * @param writeLeaseMs as movers have it where nobody else writes: on a busy machine more than a short one may lie between a write and the renewal before it
 */
async function interrupted(space: Scratch, writeLeaseMs?: number) {
  const copied = await copiedOnce(space);
  const { from, update } = copied;
  writeFileSync(`${from}/db/table`, chanceBytes(seededChance(21), 12 * 1024 * 1024));
  for (let at = 0; at < 300; at++) writeFileSync(`${from}/db/deep/f${at}`, `other ${at} `.repeat(at));
  const stop = new AbortController();
  const killed = update({
    signal: stop.signal,
    writeLeaseMs,
    onProgress: ({ phase, files }) => {
      if (phase === 'Applying' && files > 0) stop.abort(new Error('killed'));
    },
  });
  await assert.rejects(killed);
  // What is under way in worker threads of a killed process ends with it; here it ends by itself.
  await pause(100);
  assert.ok(readdirSync(copied.to).includes('.stork-incoming'));
  const restart = (options: Partial<DestinationOptions> = {}) => update({ writeLeaseMs, ...options });
  const write = async () => {
    await pause(shortLeaseMs * 2);
    writeFileSync(`${copied.to}/db/mine`, 'mine');
  };
  const refused = async (restarted: Promise<unknown>) => {
    await assert.rejects(restarted, { code: 'DestinationChanged' });
    assert.equal(readFileSync(`${copied.to}/db/mine`, 'utf8'), 'mine');
  };
  return { ...copied, restart, write, refused };
}

const deviceSegment = 4 * 1024 * 1024;

function writeAt(device: string, offset: number, bytes: Uint8Array): void {
  const fd = openSync(device, 'r+');
  writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
}

/** As `interrupted`, of a device of eight segments, four of which change. */
async function interruptedDevice(space: Scratch) {
  const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
  const chance = seededChance(22);
  writeFileSync(from, chanceBytes(chance, 8 * deviceSegment));
  writeFileSync(to, Buffer.alloc(8 * deviceSegment));
  const copy = { from, to, staging, kind: 'block' } as const;
  const { destination } = await copyVolume({ ...copy, run: 'first' });
  for (const segment of [0, 1, 3, 7]) writeAt(from, segment * deviceSegment, chanceBytes(chance, deviceSegment));
  const update = (options: Partial<DestinationOptions>) =>
    copyVolume({ ...copy, run: 'second', mode: 'update', expectDigest: destination.digest, destination: options });
  const stop = new AbortController();
  const killed = update({
    signal: stop.signal,
    onProgress: ({ phase, bytes }) => {
      if (phase === 'Applying' && bytes > 0) stop.abort(new Error('killed'));
    },
  });
  await assert.rejects(killed);
  await pause(100);
  return { from, to, restart: (options: Partial<DestinationOptions> = {}) => update(options) };
}

describe('an update meets another writer', () => {
  it('that came between its scan and the gate, and leaves everything alone', async () => {
    using space = scratch();
    const { from, to, update } = await copiedOnce(space);
    writeFileSync(`${from}/db/theirs`, 'theirs');
    let then = '';
    const awaitGate = async () => {
      writeFileSync(`${to}/db/deep/f5`, 'mine');
      then = (await digestOf(to)).digest;
      return { state: 'Go' } as const;
    };
    await assert.rejects(update({ awaitGate }), { code: 'DestinationChanged' });
    assert.equal((await digestOf(to)).digest, then);
    assert.deepEqual(readdirSync(to), ['db']);
  });

  it('of a raw device between its scan and the gate', async () => {
    using space = scratch();
    const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
    for (const device of [from, to]) writeFileSync(device, Buffer.alloc(8 * 1024 * 1024));
    const copy = { from, to, staging, kind: 'block' } as const;
    const { destination } = await copyVolume({ ...copy, run: 'first' });
    writeFileSync(from, Buffer.alloc(8 * 1024 * 1024, 1));
    const awaitGate = async () => {
      writeFileSync(to, Buffer.alloc(8 * 1024 * 1024, 2));
      return { state: 'Go' } as const;
    };
    const expectDigest = destination.digest;
    const update = copyVolume({ ...copy, run: 'second', mode: 'update', expectDigest, destination: { awaitGate } });
    await assert.rejects(update, { code: 'DestinationChanged' });
    assert.equal(readFileSync(to)[0], 2);
  });

  it('of a raw device after it was killed while it was applied, wherever the plan writes nothing', async () => {
    using space = scratch();
    const { from, to, restart } = await interruptedDevice(space);
    const theirs = 5 * deviceSegment + 100;
    const mine = Buffer.from('mine');
    writeAt(to, theirs, mine);
    await assert.rejects(restart(), { code: 'DestinationChanged' });
    assert.deepEqual(readFileSync(to).subarray(theirs, theirs + mine.length), mine);
    assert.notDeepEqual(readFileSync(to), readFileSync(from));
  });

  it('of a raw device never when it was alone: it is finished after a kill', async () => {
    using space = scratch();
    const { from, to, restart } = await interruptedDevice(space);
    const { destination } = await restart();
    assert.equal(destination.name, 'data');
    assert.deepEqual(readFileSync(to), readFileSync(from));
  });

  it('after it was killed while it was applied, with its staging kept', async () => {
    using space = scratch();
    const { restart, write, refused } = await interrupted(space, shortLeaseMs);
    await write();
    await refused(restart());
    // What it had staged was made for another content: it does not come back to it either.
    await refused(restart({ existing: 'Redo' }));
  });

  it('after it was killed while it was applied, with its staging lost', async () => {
    using space = scratch();
    const { staging, restart, write, refused } = await interrupted(space, shortLeaseMs);
    await write();
    rmSync(staging, { recursive: true });
    await refused(restart({ existing: 'Redo' }));
  });

  for (const staging of ['kept', 'lost'] as const)
    it(`never when it was alone: it is finished after a kill, staging ${staging}`, async () => {
      using space = scratch();
      const { from, to, restart, ...copied } = await interrupted(space);
      if (staging === 'lost') rmSync(copied.staging, { recursive: true });
      const { destination } = await restart({ existing: 'Redo' });
      assert.equal(destination.digest, (await digestOf(from)).digest);
      assert.equal((await digestOf(to)).digest, destination.digest);
      assert.deepEqual(readdirSync(to), ['db']);
    });

  it('asks the gate again before an interrupted update is gone on with', async () => {
    using space = scratch();
    const { to, restart } = await interrupted(space);
    const before = (await digestOf(to)).digest;
    const awaitGate = async () => ({ state: 'Refused', reason: 'used by pod web-0' }) as const;
    await assert.rejects(restart({ awaitGate }), { code: 'Refused', message: 'used by pod web-0' });
    assert.equal((await digestOf(to)).digest, before);
  });

  it('never when it was complete and nobody was told: a redo finds what the source has', async () => {
    using space = scratch();
    const { from, to, staging, update } = await copiedOnce(space);
    writeFileSync(`${from}/db/table`, 'another point');
    const { destination: first } = await update();
    rmSync(staging, { recursive: true });
    const { destination } = await update({ existing: 'Redo' });
    assert.equal(destination.digest, first.digest);
    assert.deepEqual(readdirSync(to), ['db']);
  });

  it('before an allowed update began: a redo takes only its last complete point or its own unfinished work', async () => {
    using space = scratch();
    const { to, update } = await copiedOnce(space);
    writeFileSync(`${to}/db/mine`, 'mine');
    await assert.rejects(update({ existing: 'Redo' }), { code: 'DestinationChanged' });
  });
});
