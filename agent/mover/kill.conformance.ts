/** Movers as processes, killed with SIGKILL in mid-copy. Beside the unit tests because it takes its time: twenty seconds of two cores. */
import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { MoverRole } from './contract.ts';
import { type Half, keepRunning } from './testing/keep-running.ts';
import { type LoopbackAgent, startLoopbackAgent } from './testing/loopback-agent.ts';
import { chanceBytes, digestOf, type Scratch, scratch, seededChance } from './testing/test-volumes.ts';

function fill(from: string, seed: number): void {
  const chance = seededChance(seed);
  mkdirSync(`${from}/files`, { recursive: true });
  for (let at = 0; at < 400; at++)
    writeFileSync(`${from}/files/${at}`, chanceBytes(chance, Math.floor(chance() * 30_000)));
  writeFileSync(`${from}/table`, chanceBytes(chance, 30 * 1024 * 1024));
}

const from = (space: Scratch) => space.path('from');
const to = (space: Scratch) => space.path('to');

type Victims = Readonly<Record<MoverRole, Half>>;

async function copyWithKills(
  space: Scratch,
  agent: LoopbackAgent,
  options: {
    readonly run: string;
    readonly extra: readonly string[];
    /** For both. */
    readonly common?: readonly string[];
    readonly killAt: readonly (readonly [MoverRole, number])[];
    readonly onVictims?: (victims: Victims) => void;
  },
) {
  const common = ['--run', options.run, '--staging', space.path('staging'), ...(options.common ?? [])];
  const source = keepRunning(space, agent, 'source', [...common, '--volume', `data=${from(space)}`]);
  const destination = keepRunning(space, agent, 'destination', [
    ...common,
    '--volume',
    `data=${to(space)}`,
    ...options.extra,
  ]);
  const victims = { source, destination };
  options.onVictims?.(victims);
  const left = [...options.killAt];
  const start = agent.relayed;
  agent.onBytes = (relayed) => {
    const [next] = left;
    if (next === undefined || relayed - start < next[1]) return;
    left.shift();
    victims[next[0]].kill();
  };
  const [sent, received] = await Promise.all([source.result, destination.result]);
  return { sent, received };
}

describe('a mover killed with SIGKILL', () => {
  for (const seed of [1, 2, 3]) {
    it(`continues a fresh copy with an equal tree in the end (seed ${seed})`, { timeout: 600_000 }, async () => {
      using space = scratch();
      await using agent = await startLoopbackAgent();
      fill(from(space), seed);
      mkdirSync(to(space));
      const chance = seededChance(seed + 100);
      const killAt = Array.from({ length: 3 }, (_, at): [MoverRole, number] => [
        chance() < 0.5 ? 'source' : 'destination',
        (at + chance()) * 12 * 1024 * 1024,
      ]);
      const { sent, received } = await copyWithKills(space, agent, { run: `r${seed}`, extra: [], killAt });
      assert.equal(received.outcome, 'Complete');
      assert.equal(received.volumes[0]?.digest, (await digestOf(from(space))).digest);
      assert.equal((await digestOf(to(space))).digest, sent.volumes[0]?.digest);
    });
  }

  for (const seed of [1, 2]) {
    it(`continues an update, untouched before the gate, whole after it (seed ${seed})`, {
      timeout: 600_000,
    }, async () => {
      using space = scratch();
      await using agent = await startLoopbackAgent();
      const chance = seededChance(seed + 200);
      fill(from(space), seed);
      mkdirSync(to(space));
      await copyWithKills(space, agent, { run: 'first', extra: [], killAt: [] });
      const before = await digestOf(to(space));
      const fd = openSync(`${from(space)}/table`, 'r+');
      writeSync(fd, chanceBytes(chance, 12 * 1024 * 1024), 0, 12 * 1024 * 1024, 3 * 1024 * 1024);
      closeSync(fd);
      writeFileSync(`${from(space)}/files/7`, 'changed');
      let victims: Victims | undefined;
      let untouched: Promise<string> | undefined;
      let looked = false;
      let goes = 0;
      agent.gate = () => {
        if (untouched === undefined) {
          untouched = digestOf(to(space)).then(({ digest }) => digest);
          void untouched.finally(() => {
            looked = true;
          });
          setTimeout(() => victims?.destination.kill(), 30);
        }
        // Open only once the look is over: on a busy machine the mover, killed and back, is faster than the look.
        if (!looked) return { state: 'Wait', retryAfterMs: 100 };
        // Somewhere in the apply.
        if (goes++ === 0) setTimeout(() => victims?.destination.kill(), chance() * 250);
        return { state: 'Go' };
      };

      const extra = ['--mode', 'update', '--expect-digest', `data=${before.digest}`];
      const copying = copyWithKills(space, agent, {
        run: 'second',
        extra,
        killAt: [
          ['destination', (1 + chance() * 5) * 1024 * 1024],
          ['source', (7 + chance() * 4) * 1024 * 1024],
        ],
        onVictims: (found) => {
          victims = found;
        },
      });
      const { received } = await copying;
      assert.equal(await untouched, before.digest);
      assert.equal(received.outcome, 'Complete');
      assert.ok(goes >= 1);
      assert.equal((await digestOf(to(space))).digest, (await digestOf(from(space))).digest);
    });
  }

  it('keeps nothing wrong for the next sync', { timeout: 600_000 }, async () => {
    using space = scratch();
    await using agent = await startLoopbackAgent();
    const chance = seededChance(300);
    const common = ['--cache', space.path('cache'), '--cache-guard', '0'];
    fill(from(space), 4);
    mkdirSync(to(space));
    let { received } = await copyWithKills(space, agent, { run: 'first', common, extra: [], killAt: [] });
    for (const round of [1, 2, 3]) {
      const fd = openSync(`${from(space)}/table`, 'r+');
      writeSync(fd, chanceBytes(chance, 16_384), 0, 16_384, Math.floor(chance() * 1800) * 16_384);
      closeSync(fd);
      writeFileSync(`${from(space)}/files/${round}`, `changed in round ${round}`);
      let victims: Victims | undefined;
      let goes = 0;
      // The last round is left alone, and begins from what the others kept.
      if (round < 3)
        agent.gate = () => {
          if (goes++ === 0) setTimeout(() => victims?.destination.kill(), chance() * 400);
          return { state: 'Go' };
        };
      else agent.gate = () => ({ state: 'Go' });
      const extra = ['--mode', 'update', '--expect-digest', `data=${received.volumes[0]?.digest}`];
      const killAt: [MoverRole, number][] = round % 2 === 1 && round < 3 ? [['source', chance() * 8_000]] : [];
      const onVictims = (found: Victims) => {
        victims = found;
      };
      ({ received } = await copyWithKills(space, agent, { run: `sync-${round}`, common, extra, killAt, onVictims }));
      assert.equal(received.outcome, 'Complete');
      const [mine, theirs] = [await digestOf(to(space)), await digestOf(from(space))];
      assert.deepEqual([received.volumes[0]?.digest, mine.digest], [theirs.digest, theirs.digest]);
    }
  });
});
