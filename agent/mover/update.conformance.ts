import assert from 'node:assert/strict';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { describe, it } from 'node:test';
import { copiedOnce } from './testing/copied-once.ts';
import { chanceBytes, copyVolume, digestOf, scratch, seededChance } from './testing/test-volumes.ts';

describe('updating a destination', () => {
  it('sends only hashes when nothing changed, and asks for no permission to write', async () => {
    using space = scratch();
    const { expectDigest, update } = await copiedOnce(space);
    const awaitGate = () => assert.fail('asked for nothing');
    const { destination } = await update({ awaitGate });
    assert.equal(destination.digest, expectDigest);
    assert.ok(destination.bytesSent < 100_000, `sent ${destination.bytesSent}`);
    assert.equal(destination.blocksSent, 0);
  });

  it('sends little more than the blocks that changed', async () => {
    using space = scratch();
    const { from, to, update } = await copiedOnce(space);
    const fd = openSync(`${from}/db/table`, 'r+');
    const changed = 20 * 16_384;
    writeSync(fd, chanceBytes(seededChance(8), changed), 0, changed, 5 * 1024 * 1024);
    closeSync(fd);
    const { source, destination } = await update();
    assert.equal(destination.digest, source.digest);
    assert.ok(destination.bytesSent < 1.5 * changed, `sent ${destination.bytesSent} for ${changed}`);
    assert.equal(destination.blocksSent, 20);
    assert.deepEqual(readFileSync(`${to}/db/table`), readFileSync(`${from}/db/table`));
  });

  it('finds renamed content in its own volume, removes, adds, replaces by another type', async () => {
    using space = scratch();
    const { from, to, update } = await copiedOnce(space);
    renameSync(`${from}/db/table`, `${from}/moved`);
    rmSync(`${from}/db/deep/f3`);
    rmSync(`${from}/db/deep/f4`);
    mkdirSync(`${from}/db/deep/f4`);
    writeFileSync(`${from}/db/deep/f4/x`, 'x');
    writeFileSync(`${from}/db/deep/new`, 'new');
    writeFileSync(`${from}/db/deep/f200`, '');
    const { source, destination } = await update();
    assert.equal(destination.digest, source.digest);
    assert.equal((await digestOf(to)).digest, (await digestOf(from)).digest);
    assert.ok(destination.bytesSent < 100_000, `sent ${destination.bytesSent}`);
  });

  it('refuses a volume that was written since, and touches nothing', async () => {
    using space = scratch();
    const { from, to, update } = await copiedOnce(space);
    writeFileSync(`${to}/db/mine`, 'mine');
    writeFileSync(`${from}/db/theirs`, 'theirs');
    await assert.rejects(update(), {
      code: 'DestinationChanged',
    });
    assert.deepEqual(readdirSync(`${to}/db`), ['deep', 'mine', 'table']);
    const overwritten = await update({ existing: 'Overwrite' }, 'third');
    assert.equal((await digestOf(to)).digest, overwritten.source.digest);
  });

  it('says how much scratch it needs before touching anything', async () => {
    using space = scratch();
    const { from, to, staging, expectDigest, update } = await copiedOnce(space);
    writeFileSync(`${from}/db/more`, chanceBytes(seededChance(9), 20 * 1024 * 1024));
    const small = { directory: staging, limitBytes: 16 * 1024 * 1024 };
    const refused = update({ staging: small });
    const verdict = await refused.then(
      () => assert.fail('staged'),
      (error: { code: string; scratchBytes: number }) => error,
    );
    assert.equal(verdict.code, 'NeedsScratch');
    assert.equal((await digestOf(to)).digest, expectDigest);
    const enough = { directory: staging, limitBytes: verdict.scratchBytes };
    const { source, destination } = await update({ staging: enough });
    assert.equal(destination.digest, source.digest);
    // What the first attempt staged is not sent again.
    assert.ok(destination.bytesSent < 14 * 1024 * 1024, `sent ${destination.bytesSent}`);
  });

  it('waits for the gate and leaves the volume alone when it is refused', async () => {
    using space = scratch();
    const { from, to, expectDigest, update } = await copiedOnce(space);
    writeFileSync(`${from}/db/more`, 'more');
    const refused = update({ awaitGate: async () => ({ state: 'Refused', reason: 'pod web-0 uses it' }) });
    await assert.rejects(refused, { code: 'Refused', message: 'pod web-0 uses it' });
    assert.equal((await digestOf(to)).digest, expectDigest);
  });

  it('gives the root its time back when a mover was killed as soon as it had marked it', async () => {
    using space = scratch();
    const { from, to, update } = await copiedOnce(space);
    writeFileSync(`${from}/db/more`, 'more');
    const killed = new Error('killed');
    await assert.rejects(update({ awaitGate: () => Promise.reject(killed) }), killed);
    writeFileSync(`${to}/.stork-incoming`, 'second');
    const { destination } = await update({});
    assert.equal(destination.digest, (await digestOf(from)).digest);
  });

  it("refuses to fill a volume that holds somebody's files", async () => {
    using space = scratch();
    const { from, to, staging } = await copiedOnce(space);
    const somebodys = [
      () => writeFileSync(`${to}/theirs`, 'a file that the source has not'),
      () => rmSync(`${to}/db`, { recursive: true }),
      () => writeFileSync(`${to}/theirs`, ''),
    ];
    for (const change of somebodys) {
      change();
      const { digest } = await digestOf(to);
      await assert.rejects(copyVolume({ from, to, staging, run: 'second' }), { code: 'DestinationNotEmpty' });
      assert.equal((await digestOf(to)).digest, digest);
    }
  });

  it('knows a volume that it had filled when its node died before it could say so', async () => {
    using space = scratch();
    const { from, to, expectDigest } = await copiedOnce(space);
    const { ctimeMs } = statSync(`${to}/db`);
    const elsewhere = space.path('staging of another node');
    const { destination } = await copyVolume({ from, to, staging: elsewhere, run: 'first' });
    assert.equal(destination.digest, expectDigest);
    assert.ok(destination.bytesSent < 20_000, `sent ${destination.bytesSent}`);
    assert.equal(statSync(`${to}/db`).ctimeMs, ctimeMs);
  });

  it('leaves holes where the source has zeros', async () => {
    using space = scratch();
    const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
    mkdirSync(from);
    mkdirSync(to);
    writeFileSync(`${from}/zeros`, Buffer.alloc(12 * 1024 * 1024));
    const first = await copyVolume({ from, to, staging, run: 'first' });
    assert.ok(first.destination.bytesSent < 20_000, `sent ${first.destination.bytesSent}`);
    assert.ok(statSync(`${to}/zeros`).blocks < 16);
    writeFileSync(`${from}/zeros`, chanceBytes(seededChance(3), 12 * 1024 * 1024));
    const update = (run: string, expectDigest: string | undefined) =>
      copyVolume({ from, to, staging, run, mode: 'update', expectDigest });
    const second = await update('second', first.destination.digest);
    writeFileSync(`${from}/zeros`, Buffer.alloc(12 * 1024 * 1024));
    const third = await update('third', second.destination.digest);
    assert.equal(third.destination.digest, third.source.digest);
    assert.ok(statSync(`${to}/zeros`).blocks < 16);
  });
});
