/**
 * What two bare programs of Node take for the least of a changed sync on this machine, beside the pipe of the same data: of small files
 * a look at each name at the source and at the destination, then two more there (before anything is written, and after); of a database
 * file one read with one hash at the source, then one at the destination. No protocol, no comparison, nothing sent or written.
 * `npm run bench -- floor [--scale N] [--filesystem xfs|btrfs|ext4|none] [--rounds N] [--json]`. Numbers, no verdict.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchSpace } from './bench-space.ts';
import { dataSets } from './data-sets.ts';
import { chooseFileSystem, endOnSignals, loopVolume } from './loop-volume.ts';
import { tarPipe } from './tar-pipe.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    scale: { type: 'string', default: '0.1' },
    filesystem: { type: 'string' },
    rounds: { type: 'string', default: '5' },
  },
});
const scale = Number(values.scale);
const fileSystem = chooseFileSystem(values.filesystem);
const program = fileURLToPath(new URL('./floor-end.ts', import.meta.url));
const round = (value: number) => Math.round(value * 100) / 100;

/** How often each end does its work: while the other does its own, and when that is over. */
const floors = [
  { set: 'small files', work: 'small', file: '', destination: { before: 1, after: 2 } },
  { set: 'one database file', work: 'database', file: '/table', destination: { before: 0, after: 1 } },
] as const;
type Floor = (typeof floors)[number];

/** Resolves with milliseconds. */
async function bareSync({ work, file, destination }: Floor, from: string, to: string): Promise<number> {
  const end = (path: string, before: number, after: number) =>
    spawn(process.execPath, ['--no-warnings', program, work, path + file, `${before}`, `${after}`], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
  const start = performance.now();
  const sender = end(from, 1, 0);
  const receiver = end(to, destination.before, destination.after);
  const received = once(receiver, 'exit');
  await once(sender, 'exit');
  receiver.stdin.end();
  await received;
  return performance.now() - start;
}

async function measure(floor: Floor, space: string): Promise<Record<string, number>> {
  using source = loopVolume(fileSystem, join(space, 'source'));
  using destination = loopVolume(fileSystem, join(space, 'destination'));
  const [from, to] = [join(source.path, 'from'), join(destination.path, 'to')];
  for (const folder of [from, to]) mkdirSync(folder);
  dataSets.find(({ name }) => name === floor.set)?.fill(from, scale);
  const pipeMs = await tarPipe(from, to, undefined);
  const bareMs: number[] = [];
  for (let done = 0; done < Number(values.rounds); done++) bareMs.push(await bareSync(floor, from, to));
  const leastMs = Math.min(...bareMs);
  return { 'pipe s': round(pipeMs / 1000), 'bare s': round(leastMs / 1000), 'bare, pipe = 1': round(pipeMs / leastMs) };
}

endOnSignals();
const rows: Record<string, Record<string, number>> = {};
for (const floor of floors) {
  using space = benchSpace();
  rows[floor.set] = await measure(floor, space.path);
}
console.table(rows);
if (values.json === true) console.log(JSON.stringify({ bench: 'floor', scale, filesystem: fileSystem, rows }));
