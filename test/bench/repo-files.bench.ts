/**
 * `npm run bench -- repo-files [--files N] [--per-directory N] [--alone] [--program FILE] [--json]` (after `npm run bench:setup`): what the
 * number of files costs, in memory above all. So many tiny files (half of them empty, the others up to 200 bytes) are saved first,
 * without a change, with one per cent changed, and restored, by our agent and by restic in turns. With as many in a directory as there are,
 * it is one huge directory. Needs 8 GB in TMPDIR for 2,000,000 files, and 4,000,000 inodes.
 */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chanceBytes, seededChance } from '../../agent/mover/testing/test-volumes.ts';
import type { MeasuredCommand } from './measured-command.ts';
import { ensurePeer } from './peers.ts';
import { type RepositoryTool, resticTool, storkTool } from './repository-tools.ts';

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '200000' },
    'per-directory': { type: 'string', default: '400' },
    alone: { type: 'boolean' },
    program: { type: 'string', default: join(import.meta.dirname, '../../dist/stork-agent-linux-x64') },
    json: { type: 'boolean' },
  },
});
const [files, perDirectory] = [Number(values.files), Number(values['per-directory'])];
const say = (line: string) => void process.stderr.write(`${line}\n`);

const seconds = (ms: number) => Math.round(ms / 10) / 100;

const mostBytes = 200;
const directoryOf = (root: string, at: number) => {
  const number = Math.floor(at / perDirectory);
  return `${root}/g${Math.floor(number / 100)}/d${number}`;
};
const fileOf = (root: string, at: number) => `${directoryOf(root, at)}/file-${String(at).padStart(8, '0')}`;

function fill(root: string): void {
  const chance = seededChance(21);
  for (let at = 0; at < files; at++) {
    if (at % perDirectory === 0) mkdirSync(directoryOf(root, at), { recursive: true });
    const length = at % 2 === 0 ? 0 : Math.ceil(chance() * mostBytes);
    writeFileSync(fileOf(root, at), chanceBytes(chance, length));
  }
}

function changeOnePercent(root: string): void {
  for (let at = 1; at < files; at += 100) appendFileSync(fileOf(root, at), `${at}`);
}

const space = mkdtempSync(join(tmpdir(), 'stork-bench-'));
try {
  const tools = [storkTool([values.program])];
  if (values.alone !== true) tools.push(resticTool(await ensurePeer('restic', say)));
  const from = join(space, 'from');
  mkdirSync(from);
  fill(from);
  const spaceOf = ({ name }: RepositoryTool) => join(space, name);
  for (const tool of tools) {
    mkdirSync(spaceOf(tool));
    await tool.init(spaceOf(tool));
  }
  const rows: Record<string, Record<string, number>> = {};
  const take = async (step: string, run: (tool: RepositoryTool) => Promise<MeasuredCommand>) => {
    for (const tool of tools) {
      const { wallMs, cpuMs, rssMb } = await run(tool);
      rows[`${step}, ${tool.name}`] = {
        'wall s': seconds(wallMs),
        'CPU s': seconds(cpuMs),
        'RSS MB': Math.round(rssMb),
      };
    }
  };
  await take('first', (tool) => tool.backup(spaceOf(tool), from));
  await take('unchanged', (tool) => tool.backup(spaceOf(tool), from));
  changeOnePercent(from);
  await take('1 % changed', (tool) => tool.backup(spaceOf(tool), from));
  rmSync(from, { recursive: true });
  await take('restored', async (tool) => {
    const used = await tool.restore(spaceOf(tool), from, join(spaceOf(tool), 'restored'));
    rmSync(join(spaceOf(tool), 'restored'), { recursive: true });
    return used;
  });
  const load = Math.round((loadavg()[0] ?? 0) * 10) / 10;
  console.log(`${files} files, ${perDirectory} in a directory, load ${load}`);
  console.table(rows);
  if (values.json === true) console.log(JSON.stringify({ bench: 'repo-files', files, perDirectory, load, rows }));
} finally {
  rmSync(space, { recursive: true, force: true });
}
