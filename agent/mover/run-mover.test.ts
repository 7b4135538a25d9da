import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { systemClock } from '../../kube/clock.ts';
import type { DestinationOptions } from './destination-run.ts';
import { runMover } from './run-mover.ts';
import { Errno, openSyscalls, type Syscalls } from './syscalls.ts';
import { chanceBytes, copyVolume, digestOf, memoryRelay, scratch, seededChance } from './testing/test-volumes.ts';
import { inlinePool } from './worker-pool.ts';

const mb = 1024 * 1024;

describe('a mover', () => {
  it('that lacks scratch says how much, while the source waits for the next one', async () => {
    using space = scratch();
    const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
    mkdirSync(from);
    mkdirSync(to);
    writeFileSync(`${from}/a`, 'a');
    const first = await copyVolume({ from, to, staging, run: 'first' });
    writeFileSync(`${from}/large`, chanceBytes(seededChance(2), 8 * mb));
    const relay = memoryRelay();
    const stop = new AbortController();
    const pool = inlinePool();
    const shared = { run: 'second', pool, syscalls: openSyscalls(), clock: systemClock(), signal: stop.signal };
    let instances = 0;
    const newInstance = () => `instance-${instances++}`;
    const source = {
      ...shared,
      role: 'source',
      volumes: [{ name: 'data', path: from, kind: 'files' }],
      connect: relay.source,
    } as const;
    const sending = runMover(source, newInstance);
    const receive = (directory: string, limitBytes: number) => {
      const options: Omit<DestinationOptions, 'instance'> = {
        ...shared,
        mode: 'update',
        volumes: [{ name: 'data', path: to, kind: 'files', expectDigest: first.destination.digest }],
        existing: 'Refuse',
        staging: { directory, limitBytes },
        randomBytes,
        awaitGate: async () => ({ state: 'Go' }),
        connect: relay.destination,
      };
      return runMover({ ...options, role: 'destination' }, newInstance);
    };
    const small = await receive(space.path('small'), 6 * mb);
    assert.equal(small.outcome, 'NeedsScratch');
    assert.equal(small.retryable, false);
    assert.ok((small.scratchBytes ?? 0) > 8 * mb && (small.scratchBytes ?? 0) < 40 * mb);
    const received = await receive(space.path('larger'), small.scratchBytes ?? 0);
    assert.equal(received.outcome, 'Complete');
    assert.equal((await sending).volumes[0]?.digest, received.volumes[0]?.digest);
  });

  it('that may not set something counts it, and still verifies the rest', async () => {
    using space = scratch();
    const [from, to, staging] = [space.path('from'), space.path('to'), space.path('staging')];
    mkdirSync(from);
    mkdirSync(to);
    const real = openSyscalls();
    for (const name of ['a', 'b', 'c']) {
      writeFileSync(`${from}/${name}`, name);
      real.setXattr(`${from}/${name}`, { name: 'user.note', value: Buffer.from('note') });
    }
    const restricted: Syscalls = {
      ...real,
      setXattr: (path) => {
        throw new Errno('lsetxattr', 'EPERM', path);
      },
      setXattrOf: (_fd, path) => {
        throw new Errno('fsetxattr', 'EPERM', path);
      },
    };
    const { source, destination } = await copyVolume({
      from,
      to,
      staging,
      destination: { pool: inlinePool(restricted) },
    });
    assert.deepEqual(destination.degraded, { xattr: 3 });
    assert.notEqual(destination.digest, source.digest);
    assert.equal(destination.digest, (await digestOf(to)).digest);
  });
});
