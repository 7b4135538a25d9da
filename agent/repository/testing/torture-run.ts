/**
 * One torture run: rounds of two writers, one that forgets, one collector and sometimes a verify and stock restic, all at once on one
 * repository, some killed at a call that the seed names; then judgement. tidy: ambient-calls because it drives processes.
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { systemClock } from '../../../kube/clock.ts';
import { type Scratch, scratch } from '../../mover/testing/test-volumes.ts';
import { processOwner } from '../locks/process-owner.ts';
import type { LockContext } from '../locks/repository-lock.ts';
import { collectGarbage } from '../prune/collect-garbage.ts';
import { initRepository, type Repository } from '../repository.ts';
import { restore } from '../restore/restore.ts';
import { pathFilter } from '../select-paths.ts';
import { directoryStore } from '../store/directory-store.ts';
import { verify } from '../verify/verify.ts';
import { seededRandom } from './seeded-random.ts';
import { checkWithRestic, restic } from './stock-restic.ts';
import type { TortureEvent, TortureTask } from './torture-child.ts';

export interface TortureReport {
  /** Empty when all is as it must be. */
  readonly problems: readonly string[];
  readonly killed: number;
  readonly processes: number;
  readonly finished: number;
  readonly restored: number;
}

const password = 'torture';
const rounds = 4;
/** Of a process's standard error, its end. */
const errorsKept = 4000;

interface Torture {
  readonly space: Scratch;
  readonly place: string;
  readonly repository: Repository;
  readonly random: () => number;
  /** Digest of the source by finished snapshot. */
  readonly finished: Map<string, { readonly source: string; readonly digest: string }>;
  readonly forgotten: Set<string>;
  readonly problems: string[];
  killed: number;
  processes: number;
}

/** Replays for the same seed as far as two processors allow: each process dies at the same call. */
export async function tortureRun(seed: number): Promise<TortureReport> {
  using space = scratch();
  const place = space.path('repo');
  const owner = { created: new Date(), username: 'u', hostname: 'torture' };
  const repository = await initRepository(directoryStore(place, randomUUID), password, owner, randomBytes);
  const [finished, forgotten, problems] = [new Map(), new Set<string>(), [] as string[]];
  const torture: Torture = {
    ...{ space, place, repository, random: seededRandom(seed), finished, forgotten, problems },
    ...{ killed: 0, processes: 0 },
  };
  for (const source of ['a', 'b']) mkdirSync(space.path(source));
  for (let round = 0; round < rounds; round++) await tortureRound(torture);
  const restored = await judge(torture);
  return { problems, killed: torture.killed, processes: torture.processes, finished: finished.size, restored };
}

async function tortureRound(torture: Torture): Promise<void> {
  const { space, random } = torture;
  const digests = new Map(
    ['a', 'b'].map((name) => {
      change(space.path(name), random);
      return [space.path(name), digestOf(space.path(name))] as const;
    }),
  );
  const acts: [TortureTask['do'], string][] = [
    ['backup', 'a'],
    ['backup', 'b'],
    ['prune', 'a'],
    ['forget', 'a'],
  ];
  if (random() < 0.3) acts.push(['verify', 'a']);
  const withRestic = random() < 0.25;
  const tasks = acts.map(([what, name]) => aTask(torture, what, space.path(name)));
  const running = tasks.map((task) => runChild(torture, task, digests.get(task.source) ?? ''));
  if (withRestic) running.push(runRestic(torture, space.path('b'), digests.get(space.path('b')) ?? ''));
  await Promise.all(running);
}

function aTask({ place, repository, random }: Torture, what: TortureTask['do'], source: string): TortureTask {
  const { encrypt, macK, macR } = repository.key;
  return {
    ...{ do: what, place, source, seed: Math.floor(random() * 2 ** 31), faultRate: random() < 0.5 ? 0.08 : 0 },
    key: [encrypt.toString('hex'), macK.toString('hex'), macR.toString('hex')],
    diesAt: random() < 0.5 ? 1 + Math.floor(random() * 50) : undefined,
  };
}

/** Ends that a process may come to by itself while others work. */
const fairEnds = ['RepositoryLocked', 'WriterPaused', 'CollectorPaused', 'WouldForgetAll'];

async function runChild(torture: Torture, task: TortureTask, digest: string): Promise<void> {
  torture.processes++;
  const child = spawn(process.execPath, [join(import.meta.dirname, 'torture-child.ts'), JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<string>((resolve) =>
    child.on('close', (code, signal) => resolve(signal ?? `code ${code}`)),
  );
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-errorsKept);
  });
  let isComplete = false;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as TortureEvent;
    const who = `${task.do} (seed ${task.seed}, dies at ${task.diesAt})`;
    if (event.did === 'backup') torture.finished.set(event.snapshot, { source: task.source, digest });
    else if (event.did === 'forgetting') for (const id of event.snapshots) torture.forgotten.add(id);
    else if (event.did === 'found' && event.damage.length > 0)
      torture.problems.push(`${who} found damage: ${event.damage.join(', ')}`);
    else if (event.did === 'failed' && !fairEnds.includes(event.code))
      torture.problems.push(`${who} failed: ${event.code} ${event.message}`);
    if (event.did === 'end') isComplete = true;
  }
  const end = await ended;
  if (end === 'SIGKILL') torture.killed++;
  else if (!isComplete) torture.problems.push(`${task.do} (seed ${task.seed}) ended without a word: ${end}, ${errors}`);
}

/** Stock restic may be refused while the collector deletes; what it finishes counts like ours. */
async function runRestic({ place, finished }: Torture, source: string, digest: string): Promise<void> {
  const env = { ...process.env, RESTIC_PASSWORD: password, RESTIC_REPOSITORY: place };
  const child = spawn('restic', ['--no-cache', 'backup', '--json', source], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const { message_type: type, snapshot_id: id } = JSON.parse(line) as { message_type?: string; snapshot_id?: string };
    if (type === 'summary' && id !== undefined) finished.set(id, { source, digest });
  }
}

async function judge(torture: Torture): Promise<number> {
  const { place, repository, problems, finished, forgotten, space } = torture;
  const context: LockContext = { repository, owner: processOwner(), clock: systemClock(), randomBytes };
  const collecting = { minWaitMs: 0, unusedShare: 0.05, repackBytes: 2 ** 30, effects: 'Done' } as const;
  const attempt = async (what: string, run: () => unknown) => {
    try {
      await run();
    } catch (error) {
      problems.push(`${what}: ${String((error as { stderr?: Buffer }).stderr ?? (error as Error).stack ?? error)}`);
    }
  };
  const check = async (when: string) => {
    const { damage, affected } = await verify({ repository, depth: { read: 'everything' } });
    for (const { object, message } of damage) problems.push(`${when}: ${object}: ${message}`);
    for (const { restorePoint, path } of affected) problems.push(`${when}: ${restorePoint} lacks ${path}`);
  };
  await attempt('verify', () => check('before the last prune'));
  await attempt('prune', async () => {
    await collectGarbage(context, collecting);
    const { marked, waitsFor } = await collectGarbage(context, collecting);
    if (marked.packs > 0 || waitsFor.length > 0)
      problems.push(`garbage is left: ${JSON.stringify({ marked, waitsFor })}`);
  });
  for (const folder of ['locks', 'stork/marks', 'stork/waits'])
    for await (const { name } of repository.store.list(`${folder}/`)) problems.push(`${name} is left over`);
  await attempt('verify', () => check('after the last prune'));
  await attempt('restic check', () => checkWithRestic(place, password));
  const ids = new Set((await repository.snapshots()).map(({ id }) => id));
  const expected = [...finished].map(([id, point]) => ({
    id: [...ids].find((one) => one.startsWith(id)) ?? id,
    ...point,
  }));
  let restored = 0;
  for (const { id, source, digest } of expected) {
    if (!ids.has(id)) {
      if (![...forgotten].some((one) => one.startsWith(id))) problems.push(`restore point ${id} is gone`);
      continue;
    }
    await attempt(`restore of ${id}`, async () => {
      const target = space.path('restored');
      await restoreTo(repository, id, source, target);
      if (digestOf(target) !== digest) problems.push(`restore point ${id} restores other files than it saved`);
      rmSync(target, { recursive: true, force: true });
      restored++;
    });
  }
  await attempt('restic restore', () => {
    const last = expected.findLast(({ id }) => ids.has(id));
    if (last === undefined) return;
    restic(place, password, 'restore', last.id, '--target', space.path('by-restic'));
    if (digestOf(join(space.path('by-restic'), last.source)) !== last.digest)
      problems.push(`restic restores other files of ${last.id} than it saved`);
  });
  return restored;
}

async function restoreTo(repository: Repository, id: string, source: string, target: string): Promise<void> {
  const snapshot = (await repository.snapshots()).find((one) => one.id === id);
  if (snapshot === undefined) throw new Error(`no snapshot ${id}`);
  await restore({
    ...{ repository, snapshot, from: source, target, filter: pathFilter([], []), others: 'keep', verify: false },
    ...{ problems: 'fail', threads: 1, signal: new AbortController().signal },
  });
}

/** New files, changed ones, some gone; equal contents in several places, so that packs are shared. */
function change(root: string, random: () => number): void {
  const pick = (count: number) => Math.floor(random() * count);
  const contentOf = (): Buffer => {
    const seed = pick(12);
    const bytes = createHash('shake256', { outputLength: 200 + ((seed * 7919) % 90_000) }).update(`content ${seed}`);
    return bytes.digest();
  };
  for (let count = 2 + pick(6); count > 0; count--) {
    const folder = join(root, `d${pick(4)}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `f${pick(8)}`), contentOf());
  }
  for (let count = pick(3); count > 0; count--) rmSync(join(root, `d${pick(4)}`, `f${pick(8)}`), { force: true });
  const link = join(root, `l${pick(3)}`);
  rmSync(link, { force: true });
  symlinkSync(`d${pick(4)}/f${pick(8)}`, link);
}

/** Of names, types, modes, times of files, and contents. */
function digestOf(root: string): string {
  const lines = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const path = join(root, name);
      const stats = lstatSync(path);
      if (stats.isDirectory()) return `dir ${name} ${stats.mode}`;
      if (stats.isSymbolicLink()) return `link ${name} ${readlinkSync(path)}`;
      return `file ${name} ${stats.mode} ${stats.mtimeMs} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
    });
  return lines.join('\n');
}
