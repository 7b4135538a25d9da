import assert from 'node:assert/strict';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { it } from 'node:test';
import { manualClock } from '../../../kube/clock.ts';
import { scratch } from '../../mover/testing/test-volumes.ts';
import { watchContents } from './watch-contents.ts';

it('changed contents are told once, whatever way they came', async () => {
  using space = scratch();
  const [plain, link] = [space.path('plain'), space.path('link')];
  writeFileSync(plain, 'one');
  const clock = manualClock();
  const contents = watchContents([plain, link]);
  let told = 0;
  writeFileSync(plain, 'two');
  const telling = contents.tell(() => told++, { clock, everyMs: 1000 });
  const afterLooks = async (expected: number) => {
    await clock.advance(3000);
    assert.equal(told, expected);
  };
  await afterLooks(1);
  symlinkSync(plain, link);
  await afterLooks(2);
  writeFileSync(plain, 'two');
  await afterLooks(2);
  rmSync(link);
  await afterLooks(3);
  telling[Symbol.dispose]();
  rmSync(plain);
  await afterLooks(3);
});
