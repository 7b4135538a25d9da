import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../../kube/clock.ts';
import { scratch } from '../../mover/testing/test-volumes.ts';
import { pathFilter } from '../select-paths.ts';
import { measureSelection } from './measure-selection.ts';
import { selectPaths } from './walk-directories.ts';

function fill(root: string): void {
  for (let directory = 0; directory < 40; directory++) {
    mkdirSync(`${root}/d${directory}`, { recursive: true });
    for (let file = 0; file < 20; file++) writeFileSync(`${root}/d${directory}/f${file}.dat`, 'ten bytes.');
  }
  writeFileSync(`${root}/big.tmp`, Buffer.alloc(100_000));
  symlinkSync('big.tmp', `${root}/link`);
}

describe('what a first backup will read', () => {
  it('is known after a while: the files that are chosen, nothing that links to them', { timeout: 60_000 }, async () => {
    using space = scratch();
    fill(space.path('root'));
    const size = async (excludes: readonly string[]) => {
      const measured = measureSelection({
        selection: selectPaths([space.path('root'), '/no such path']),
        excludes: pathFilter([], excludes),
        clock: systemClock(),
      });
      assert.equal(measured.bytes, undefined, 'not at once');
      while (measured.bytes === undefined) await sleep(5);
      return measured.bytes;
    };
    assert.equal(await size([]), 8_000 + 100_000);
    assert.equal(await size(['*.tmp', 'd1']), 7_800);
  });

  it('is left unknown when nobody wants it any more, and no directory stays open', async () => {
    using space = scratch();
    fill(space.path('root'));
    const before = readdirSync('/proc/self/fd').length;
    let now = 0;
    const due = new Set<() => void>();
    const look = () => {
      for (const work of [...due]) if (due.delete(work)) work();
    };
    const clock = {
      monotonicMs: () => now++,
      after: (_: number, work: () => void) => {
        due.add(work);
        return { [Symbol.dispose]: () => void due.delete(work) };
      },
    };
    const measured = measureSelection({ selection: selectPaths([space.path('root')]), clock });
    for (let turn = 0; turn < 5; turn++) look();
    assert.ok(readdirSync('/proc/self/fd').length > before);
    measured.stop();
    look();
    assert.equal(measured.bytes, undefined);
    assert.equal(readdirSync('/proc/self/fd').length, before);
  });
});
