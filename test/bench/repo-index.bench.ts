/**
 * `npm run bench -- repo-index [--blobs N] [--program FILE] [--json]` (after `npm run bench:setup`): what a repository's size costs whoever
 * opens it. Indexes of N blobs (1 MiB each, a tenth trees) whose packs nobody asks for, then a backup and a restore of one small
 * file, by our agent and by restic in turns on the same repository. 10,000,000 blobs are about 10 TB. Needs 150 bytes a blob in TMPDIR, twice.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { IndexedPack } from '../../agent/repository/format/index-file.ts';
import type { BlobType } from '../../agent/repository/format/pack.ts';
import { byPassphrase } from '../../agent/repository/keys/unlock.ts';
import { openRepository, type Repository } from '../../agent/repository/repository.ts';
import { directoryStore } from '../../agent/repository/store/directory-store.ts';
import { ensurePeer } from './peers.ts';
import { type RepositoryTool, repositoryOf, repositoryPassword, resticTool, storkTool } from './repository-tools.ts';

const { values } = parseArgs({
  options: {
    blobs: { type: 'string', default: '1000000' },
    program: { type: 'string', default: join(import.meta.dirname, '../../dist/stork-agent-linux-x64') },
    json: { type: 'boolean' },
  },
});
const wantedBlobs = Number(values.blobs);
const say = (line: string) => void process.stderr.write(`${line}\n`);

const blobBytes = 1024 * 1024;
/** About what compresses to a third: packs of 16 MiB. */
const storedBytes = blobBytes / 3;
const blobsPerPack = 48;
const packsPerIndex = 800;
const treesEvery = 10;

const newId = () => randomBytes(32).toString('hex');

function madeUpPack(number: number): IndexedPack {
  const type: BlobType = number % treesEvery === 0 ? 'tree' : 'data';
  const length = Math.floor(storedBytes);
  const blobs = Array.from({ length: blobsPerPack }, (_, at) => ({
    ...{ id: newId(), type, offset: at * length, length, uncompressedLength: blobBytes },
  }));
  return { id: newId(), blobs };
}

async function fillIndex(repository: Repository): Promise<void> {
  const packs = Math.ceil(wantedBlobs / blobsPerPack);
  for (let begin = 0; begin < packs; begin += packsPerIndex) {
    const count = Math.min(packsPerIndex, packs - begin);
    await repository.putIndex(Array.from({ length: count }, (_, at) => madeUpPack(begin + at)));
  }
}

const round2 = (value: number) => Math.round(value * 100) / 100;

const space = mkdtempSync(join(tmpdir(), 'stork-bench-'));
try {
  const from = join(space, 'from');
  mkdirSync(from);
  const stork = storkTool([values.program]);
  await stork.init(space);
  const store = directoryStore(repositoryOf(space), randomUUID);
  await fillIndex(await openRepository(store, byPassphrase(repositoryPassword), randomBytes));
  const tools: readonly RepositoryTool[] = [stork, resticTool(await ensurePeer('restic', say))];
  const rows: Record<string, Record<string, number>> = {};
  for (const tool of tools) {
    writeFileSync(join(from, 'file'), tool.name);
    const saved = await tool.backup(space, from);
    const restored = await tool.restore(space, from, join(space, `restored-by-${tool.name}`));
    for (const [step, used] of Object.entries({ backup: saved, restore: restored }))
      rows[`${step} by ${tool.name}`] = {
        'wall s': round2(used.wallMs / 1000),
        'CPU s': round2(used.cpuMs / 1000),
        'RSS MB': Math.round(used.rssMb),
        'RSS bytes a blob': Math.round((used.rssMb * 1024 * 1024) / wantedBlobs),
      };
  }
  console.log(`${wantedBlobs} blobs, load ${round2(loadavg()[0] ?? 0)}`);
  console.table(rows);
  if (values.json === true) console.log(JSON.stringify({ bench: 'repo-index', blobs: wantedBlobs, rows }));
} finally {
  rmSync(space, { recursive: true, force: true });
}
