/**
 * `npm run bench -- repo-s3 [--scale N] [--megabytes N] [--rounds N] [--program FILE] [--json]` (after `npm run bench:setup`): a
 * repository in a real S3 server on loopback. Ours and restic in turns on a mixed tree, without a bound; then ours alone on random
 * bytes: through a link of 50 MB/s, at 50 ms a request, and at 50 ms with one request of a hundred failing. Scale 1 is all of D1; needs about four
 * times the data in TMPDIR.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { chanceBytes, seededChance } from '../../agent/mover/testing/test-volumes.ts';
import { s3Client } from '../../agent/repository/store/s3-client.ts';
import { startVersitygw } from '../stores/versitygw.ts';
import { ensurePeer } from './peers.ts';
import { repositorySets, writeLarge } from './repository-sets.ts';
import { resticOnS3, type S3Tool, storkOnS3 } from './repository-tools.ts';
import { type S3RelayShape, startS3Relay } from './s3-relay.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    scale: { type: 'string', default: '1' },
    megabytes: { type: 'string', default: '1024' },
    rounds: { type: 'string', default: '3' },
    program: { type: 'string', default: join(import.meta.dirname, '../../dist/stork-agent-linux-x64') },
  },
});
const [scale, megabytes, rounds] = [Number(values.scale), Number(values.megabytes), Number(values.rounds)];
const say = (line: string) => void process.stderr.write(`${line}\n`);
const linkBytesPerSecond = 50_000_000;
const space = mkdtempSync(join(tmpdir(), 'stork-bench-'));
await using server = await startVersitygw();
await s3Client({ ...server, region: undefined, addressing: 'Path', ca: undefined }).send(
  new CreateBucketCommand({ Bucket: 'bench' }),
);
const ours = storkOnS3(values.program, server.credentials, space);
let repositories = 0;

/** Saves `from` into a repository of its own and brings it back. */
async function saveAndRestore(tool: S3Tool, endpoint: string, from: string, shape?: S3RelayShape) {
  const prefix = `${tool.name}-${++repositories}`;
  await tool.init(endpoint, prefix);
  await using relay = shape === undefined ? undefined : await startS3Relay(endpoint, shape, seededChance(21));
  const by = relay?.endpoint ?? endpoint;
  const backup = await tool.backup(by, prefix, from);
  const sent = relay?.counts.bytesUp ?? 0;
  const to = join(space, 'restored');
  const restore = await tool.restore(by, prefix, to);
  rmSync(to, { recursive: true });
  rmSync(join(server.folderOf('bench'), prefix), { recursive: true });
  return { backup, restore, sent, received: relay?.counts.bytesDown ?? 0, ...relay?.counts };
}

const median = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const round2 = (value: number) => Math.round(value * 100) / 100;
const rows: Record<string, Record<string, number>> = {};

async function besideRestic(): Promise<void> {
  const from = join(space, 'mixed');
  mkdirSync(from);
  repositorySets[0]?.fill(from, scale);
  const restic = resticOnS3(await ensurePeer('restic', say), server.credentials, space);
  const ratios = {
    backup: [] as number[],
    restore: [] as number[],
    backupCpu: [] as number[],
    restoreCpu: [] as number[],
  };
  for (let at = 0; at < rounds; at++) {
    const tools = at % 2 === 0 ? [ours, restic] : [restic, ours];
    const used = new Map<string, Awaited<ReturnType<typeof saveAndRestore>>>();
    for (const tool of tools) used.set(tool.name, await saveAndRestore(tool, server.endpoint, from));
    const [mine, theirs] = [used.get(ours.name), used.get(restic.name)];
    if (mine === undefined || theirs === undefined) continue;
    ratios.backup.push(mine.backup.wallMs / theirs.backup.wallMs);
    ratios.restore.push(mine.restore.wallMs / theirs.restore.wallMs);
    ratios.backupCpu.push(mine.backup.cpuMs / theirs.backup.cpuMs);
    ratios.restoreCpu.push(mine.restore.cpuMs / theirs.restore.cpuMs);
    say(`beside restic: round ${at + 1} of ${rounds}, load ${round2(loadavg()[0] ?? 0)}`);
  }
  for (const [name, all] of Object.entries(ratios)) rows[`${name}, ours / restic`] = { value: round2(median(all)) };
  rmSync(from, { recursive: true });
}

async function shaped(): Promise<void> {
  const from = join(space, 'random');
  mkdirSync(from);
  const chance = seededChance(22);
  writeLarge(join(from, 'file'), megabytes, (length) => chanceBytes(chance, length));
  const link = await saveAndRestore(ours, server.endpoint, from, {
    bytesPerSecond: linkBytesPerSecond,
    delayMs: 0,
    failing: 0,
  });
  const ofLink = (bytes: number, wallMs: number) => round2(bytes / (wallMs / 1000) / linkBytesPerSecond);
  rows['backup at 50 MB/s, of the link'] = { value: ofLink(link.sent, link.backup.wallMs) };
  rows['restore at 50 MB/s, of the link'] = { value: ofLink(link.received, link.restore.wallMs) };
  say(`link: load ${round2(loadavg()[0] ?? 0)}`);
  const slow = await saveAndRestore(ours, server.endpoint, from, { delayMs: 50, failing: 0 });
  const failing = await saveAndRestore(ours, server.endpoint, from, { delayMs: 50, failing: 0.01 });
  rows['backup at 50 ms, with failures: undisturbed / disturbed'] = {
    value: round2(slow.backup.wallMs / failing.backup.wallMs),
  };
  rows['restore at 50 ms, with failures: undisturbed / disturbed'] = {
    value: round2(slow.restore.wallMs / failing.restore.wallMs),
  };
  rows['requests with failures, of them failed'] = { value: failing.requests ?? 0, failed: failing.failed ?? 0 };
  say(`failures: load ${round2(loadavg()[0] ?? 0)}`);
}

try {
  await besideRestic();
  await shaped();
} finally {
  rmSync(space, { recursive: true, force: true });
}
console.log(`S3 on loopback: mixed tree at scale ${scale}, ${rounds} rounds; ${megabytes} MB of random bytes`);
console.table(rows);
if (values.json === true) console.log(JSON.stringify({ bench: 'repo-s3', scale, megabytes, rounds, rows }));
