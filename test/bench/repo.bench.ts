/**
 * `npm run bench -- repo [--scale N] [--rounds N] [--only D1|D2|D3] [--program FILE] [--json]` (after `npm run bench:setup`): our
 * repository against restic and kopia on the same generated data in one run, in turns: a first backup, one without a change, one
 * with one per cent changed, a restore. Ratios are ours divided by the peer's, medians of the rounds: less is better. Needs about
 * 12 GB × scale in TMPDIR.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { MeasuredCommand } from './measured-command.ts';
import { ensurePeer } from './peers.ts';
import { type RepositorySet, repositorySets } from './repository-sets.ts';
import { kopiaTool, type RepositoryTool, resticTool, storkTool } from './repository-tools.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    scale: { type: 'string', default: '0.1' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    program: { type: 'string', default: join(import.meta.dirname, '../../dist/stork-agent-linux-x64') },
  },
});
const [scale, rounds] = [Number(values.scale), Number(values.rounds)];
const say = (line: string) => void process.stderr.write(`${line}\n`);
const steps = ['first', 'unchanged', 'changed', 'restore'] as const;
type Step = (typeof steps)[number];
type Figures = Pick<MeasuredCommand, 'wallMs' | 'cpuMs' | 'rssMb'> & { readonly storedMb: number };
type Round = Readonly<Record<Step, Figures>>;

/** All tools take each step in turn, so that other load meets them alike. The tree ends as it began: it is filled anew each round. */
async function measureRound(set: RepositorySet, tools: readonly RepositoryTool[], space: string) {
  const from = join(space, 'from');
  mkdirSync(from);
  set.fill(from, scale);
  const spaceOf = ({ name }: RepositoryTool) => join(space, name);
  for (const tool of tools) {
    mkdirSync(spaceOf(tool));
    await tool.init(spaceOf(tool));
  }
  const stored = new Map<string, number>();
  const figures = new Map<string, Partial<Record<Step, Figures>>>();
  const take = async (step: Step, run: (tool: RepositoryTool) => Promise<MeasuredCommand>) => {
    for (const tool of tools) {
      const used = await run(tool);
      const bytes = tool.storedBytes(spaceOf(tool));
      const storedMb = (bytes - (stored.get(tool.name) ?? 0)) / 1024 / 1024;
      stored.set(tool.name, bytes);
      figures.set(tool.name, { ...figures.get(tool.name), [step]: { ...used, storedMb } });
    }
  };
  await take('first', (tool) => tool.backup(spaceOf(tool), from));
  await take('unchanged', (tool) => tool.backup(spaceOf(tool), from));
  set.changeOnePercent(from, scale);
  await take('changed', (tool) => tool.backup(spaceOf(tool), from));
  await take('restore', (tool) => tool.restore(spaceOf(tool), from, join(spaceOf(tool), 'restored')));
  return figures as ReadonlyMap<string, Round>;
}

const median = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const round2 = (value: number) => Math.round(value * 100) / 100;

function tabulate(measured: readonly ReadonlyMap<string, Round>[], peers: readonly string[]) {
  const of = (tool: string, step: Step, field: keyof Figures) =>
    measured.map((one) => one.get(tool)?.[step][field] ?? Number.NaN);
  return Object.fromEntries(
    steps.map((step) => {
      const row: Record<string, number> = {
        'wall s': round2(median(of('stork', step, 'wallMs')) / 1000),
        'CPU s': round2(median(of('stork', step, 'cpuMs')) / 1000),
        'RSS MB': Math.round(Math.max(...of('stork', step, 'rssMb'))),
        'stored MB': round2(median(of('stork', step, 'storedMb'))),
      };
      for (const peer of peers)
        for (const [field, name] of [
          ['wallMs', 'wall'],
          ['cpuMs', 'CPU'],
          ['rssMb', 'RSS'],
          ['storedMb', 'stored'],
        ] as const) {
          const theirs = of(peer, step, field);
          row[`${name}/${peer}`] = round2(
            median(of('stork', step, field).map((ours, at) => ours / (theirs[at] ?? Number.NaN))),
          );
        }
      return [step, row];
    }),
  );
}

const tools = [
  storkTool([values.program]),
  resticTool(await ensurePeer('restic', say)),
  kopiaTool(await ensurePeer('kopia', say)),
];
for (const set of repositorySets.filter(({ name }) => values.only === undefined || name === values.only)) {
  const measured: ReadonlyMap<string, Round>[] = [];
  for (let at = 0; at < rounds; at++) {
    const space = mkdtempSync(join(tmpdir(), 'stork-bench-'));
    // Another one begins each round.
    const turn = tools.map((_, place) => tools[(place + at) % tools.length]).filter((tool) => tool !== undefined);
    try {
      measured.push(await measureRound(set, turn, space));
    } finally {
      rmSync(space, { recursive: true, force: true });
    }
    say(`${set.name}: round ${at + 1} of ${rounds}, load ${round2(loadavg()[0] ?? 0)}`);
  }
  const rows = tabulate(measured, ['restic', 'kopia']);
  console.log(`${set.name}: ${set.what}, scale ${scale}, ${rounds} rounds; x/y is ours divided by y's`);
  console.table(rows);
  if (values.json === true) console.log(JSON.stringify({ bench: 'repo', set: set.name, scale, rounds, rows }));
}
