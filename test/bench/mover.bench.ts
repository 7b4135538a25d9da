/**
 * The mover against `tar | tar` of the same data in the same run: wall and CPU ratios, bytes on the wire, peak memory.
 * `node test/bench/mover.bench.ts [--json] [--scale N]`: N = 1 is 200 MB of each kind. Numbers only, no verdict.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { moverCaVariable, parseMoverResult } from '../../agent/mover/contract.ts';
import { startLoopbackAgent } from '../../agent/mover/testing/loopback-agent.ts';
import { chanceBytes, seededChance } from '../../agent/mover/testing/test-volumes.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, scale: { type: 'string', default: '0.25' } } });
const scale = Number(values.scale);
const program = fileURLToPath(new URL('../../agent/mover/testing/mover-process.ts', import.meta.url));
const mb = 1024 * 1024;

/** Text-like: compresses about 3 : 1, as databases do. */
function halfRandom(chance: () => number, length: number): Buffer {
  const bytes = chanceBytes(chance, length);
  for (let at = 0; at < length; at += 48) bytes.fill(32, at, Math.min(length, at + 32));
  return bytes;
}

const dataSets: Readonly<Record<string, (root: string) => void>> = {
  'files of 1 MB': (root) => {
    const chance = seededChance(1);
    for (let at = 0; at < 200 * scale; at++) writeFileSync(`${root}/f${at}`, halfRandom(chance, mb));
  },
  'small files': (root) => {
    const chance = seededChance(2);
    const content = halfRandom(chance, 64 * 1024);
    for (let at = 0; at < 40_000 * scale; at++) {
      if (at % 200 === 0) mkdirSync(`${root}/d${at / 200}`);
      const start = Math.floor(chance() * 30_000);
      writeFileSync(
        `${root}/d${Math.floor(at / 200)}/f${at}`,
        content.subarray(start, start + Math.floor(chance() * 10_000)),
      );
    }
  },
  'one database file': (root) => {
    const chance = seededChance(3);
    const fd = openSync(`${root}/table`, 'w');
    for (let at = 0; at < 200 * scale; at++) writeSync(fd, halfRandom(chance, mb));
    closeSync(fd);
  },
};

interface Usage {
  readonly wallMs: number;
  readonly cpuMs: number;
}

function tarPipe(from: string, to: string): Usage {
  const start = performance.now();
  const timed = spawnSync('bash', ['-c', `time tar -C ${from} -cf - . | tar -C ${to} -xf -; times`], {
    encoding: 'utf8',
  });
  const cpu = [...timed.stderr.matchAll(/(?:user|sys)\s+(\d+)m([\d.]+)s/g)];
  const cpuMs = cpu.reduce((sum, [, minutes, seconds]) => sum + (Number(minutes) * 60 + Number(seconds)) * 1000, 0);
  return { wallMs: performance.now() - start, cpuMs };
}

async function movers(space: string, from: string, to: string, run: string, extra: readonly string[]) {
  await using agent = await startLoopbackAgent();
  writeFileSync(join(space, 'token'), 'token');
  const start = performance.now();
  const halves = (['source', 'destination'] as const).map(async (role) => {
    const result = join(space, `${role}-result`);
    const usage = join(space, `${role}-usage`);
    const path = role === 'source' ? from : to;
    const common = [
      '--run',
      run,
      '--role',
      role,
      '--agent',
      agent.url,
      '--volume',
      `data=${path}`,
      '--staging',
      join(space, 'staging'),
    ];
    const files = ['--token-file', join(space, 'token'), '--result-file', result];
    const child = spawn(
      process.execPath,
      ['--no-warnings', program, ...common, ...files, ...(role === 'source' ? [] : extra)],
      {
        env: { ...process.env, [moverCaVariable]: agent.ca, STORK_USAGE_FILE: usage },
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
    await once(child, 'exit');
    const used = JSON.parse(readFileSync(usage, 'utf8'));
    const cpuMs = (used.userCPUTime + used.systemCPUTime) / 1000;
    return { result: parseMoverResult(readFileSync(result)), cpuMs, rssMb: used.maxRSS / 1024 };
  });
  const [source, destination] = await Promise.all(halves);
  if (source === undefined || destination === undefined || destination.result.outcome !== 'Complete') {
    throw new Error(
      `the copy ended ${destination?.result.outcome}: ${destination?.result.message} / ${source?.result.message}`,
    );
  }
  return {
    wallMs: performance.now() - start,
    cpuMs: source.cpuMs + destination.cpuMs,
    rssMb: Math.max(source.rssMb, destination.rssMb),
    volume: destination.result.volumes[0],
  };
}

const round = (value: number) => Math.round(value * 100) / 100;
const rows: Record<string, Record<string, number>> = {};
for (const [name, fill] of Object.entries(dataSets)) {
  const space = mkdtempSync(join(tmpdir(), 'stork-bench-'));
  try {
    const [from, to, tarred] = ['from', 'to', 'tarred'].map((folder) => join(space, folder));
    if (from === undefined || to === undefined || tarred === undefined) continue;
    for (const folder of [from, to, tarred]) mkdirSync(folder);
    fill(from);
    const pipe = tarPipe(from, tarred);
    const first = await movers(space, from, to, 'first', []);
    const second = await movers(space, from, to, 'second', [
      '--mode',
      'update',
      '--expect-digest',
      `data=${first.volume?.digest}`,
    ]);
    rows[name] = {
      bytesMb: round((first.volume?.bytes ?? 0) / mb),
      tarWallMs: Math.round(pipe.wallMs),
      firstWallMs: Math.round(first.wallMs),
      wallRatio: round(pipe.wallMs / first.wallMs),
      tarCpuMs: Math.round(pipe.cpuMs),
      firstCpuMs: Math.round(first.cpuMs),
      sentMb: round((first.volume?.bytesSent ?? 0) / mb),
      unchangedWallMs: Math.round(second.wallMs),
      unchangedSentKb: Math.round((second.volume?.bytesSent ?? 0) / 1024),
      rssMb: Math.round(Math.max(first.rssMb, second.rssMb)),
    };
  } finally {
    rmSync(space, { recursive: true, force: true });
  }
}
console.table(rows);
if (values.json === true) console.log(JSON.stringify({ bench: 'mover', scale, rows }));
