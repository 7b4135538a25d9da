/**
 * Movers against `tar | TLS socket | untar` of the same data in the same run: a first sync, one without a change, one with one
 * per cent changed. `npm run bench -- migrate [--scale N] [--link 1000] [--filesystem xfs|btrfs|ext4|none] [--program FILE] [--only WORD] [--json]`:
 * N = 1 is 1 GB of 1 MB files, 100,000 small files and a database file of 1 GB; `--link` shapes both to that many Mbit/s with 10 ms each
 * way; for each of these, source and destinations (of the pipe and of the movers) are on new file systems of their own, XFS unless another
 * is asked for (`none`, and who isn't root: the temporary directory); `--program` takes the built agent instead of the sources. Numbers, no verdict.
 */
import { mkdirSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { benchSpace } from './bench-space.ts';
import { type DataSet, dataSets } from './data-sets.ts';
import { chooseFileSystem, endOnSignals, loopVolume } from './loop-volume.ts';
import { copyWithMovers } from './mover-pair.ts';
import type { LinkShape } from './shaped-link.ts';
import { tarPipe } from './tar-pipe.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    scale: { type: 'string', default: '0.1' },
    link: { type: 'string' },
    filesystem: { type: 'string' },
    only: { type: 'string' },
    program: { type: 'string' },
  },
});
const scale = Number(values.scale);
const shape: LinkShape | undefined =
  values.link === undefined ? undefined : { bitsPerSecond: Number(values.link) * 1_000_000, delayMs: 10 };
const fileSystem = chooseFileSystem(values.filesystem);
const betweenSyncsMs = 3_000;
const mb = 1024 * 1024;
const round = (value: number) => Math.round(value * 100) / 100;

async function measure(set: DataSet, space: string): Promise<Record<string, number>> {
  using source = loopVolume(fileSystem, join(space, 'source'));
  using destination = loopVolume(fileSystem, join(space, 'destination'));
  const [from, to, tarred] = [
    join(source.path, 'from'),
    join(destination.path, 'to'),
    join(destination.path, 'tarred'),
  ];
  for (const folder of [from, to, tarred]) mkdirSync(folder);
  set.fill(from, scale);
  const pair = (run: string, extra: readonly string[] = []) =>
    copyWithMovers({ space, from, to, run, extra, shape, program: values.program });
  const update = (digest: string) => ['--mode', 'update', '--expect-digest', `data=${digest}`];
  const pipeMs = await tarPipe(from, tarred, shape);
  const first = await pair('first');
  // Syncs are minutes apart: what changed within the last seconds of the one before would be read again.
  await sleep(betweenSyncsMs);
  const unchanged = await pair('second', update(first.volume.digest));
  await sleep(betweenSyncsMs);
  set.changeOnePercent(from, scale);
  const changed = await pair('third', update(unchanged.volume.digest));
  return {
    MB: round(first.volume.bytes / mb),
    'pipe s': round(pipeMs / 1000),
    'first s': round(first.wallMs / 1000),
    'first, pipe = 1': round(pipeMs / first.wallMs),
    'first CPU s': round(first.cpuMs / 1000),
    'first sent MB': round(first.volume.bytesSent / mb),
    'unchanged s': round(unchanged.wallMs / 1000),
    'unchanged CPU s': round(unchanged.cpuMs / 1000),
    'changed s': round(changed.wallMs / 1000),
    'changed CPU s': round(changed.cpuMs / 1000),
    'changed, pipe = 1': round(pipeMs / changed.wallMs),
    'changed sent MB': round(changed.volume.bytesSent / mb),
    'peak RSS MB': Math.round(Math.max(first.rssMb, unchanged.rssMb, changed.rssMb)),
    load: round(loadavg()[0] ?? 0),
  };
}

endOnSignals();
const rows: Record<string, Record<string, number>> = {};
for (const set of dataSets.filter(({ name }) => values.only === undefined || name.includes(values.only))) {
  using space = benchSpace();
  rows[set.name] = await measure(set, space.path);
}
console.log(`file system: ${fileSystem === 'none' ? `that of ${tmpdir()}` : `${fileSystem}, new, in loop devices`}`);
console.table(rows);
if (values.json === true)
  console.log(JSON.stringify({ bench: 'migrate', scale, link: values.link, filesystem: fileSystem, rows }));
