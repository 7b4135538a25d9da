/**
 * One process of a torture run: does one thing to a repository through a store that loses, delays, repeats and cuts requests, and may
 * kill itself (SIGKILL) before, in or after a call that its seed names. Tells what it did line by line.
 * tidy: ambient-calls because this is a process of its own.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { type Clock, systemClock } from '../../../kube/clock.ts';
import { keepThreadPoolAwake } from '../../../kube/keep-thread-pool-awake.ts';
import { backup } from '../backup/backup.ts';
import { forget } from '../forget/forget.ts';
import { planForget } from '../forget/plan-forget.ts';
import { processOwner } from '../locks/process-owner.ts';
import type { LockContext } from '../locks/repository-lock.ts';
import { beginWriting } from '../locks/writer-session.ts';
import { collectGarbage } from '../prune/collect-garbage.ts';
import { openWithKey } from '../repository.ts';
import { directoryStore } from '../store/directory-store.ts';
import { faultyStore } from '../store/faulty-store.ts';
import { listByPages, type ObjectStore } from '../store/object-store.ts';
import { retryStore } from '../store/retry-store.ts';
import { verify } from '../verify/verify.ts';
import { seededRandom } from './seeded-random.ts';

export interface TortureTask {
  readonly do: 'backup' | 'forget' | 'prune' | 'verify';
  readonly place: string;
  /** The repository's key in hex: encrypt, macK, macR. */
  readonly key: readonly [string, string, string];
  readonly source: string;
  readonly seed: number;
  /** The call to the store that is the last; undefined lives on. */
  readonly diesAt: number | undefined;
  /** Share of requests that go wrong. */
  readonly faultRate: number;
}

/** What a child writes, one JSON document a line. */
export type TortureEvent =
  | { readonly did: 'backup'; readonly snapshot: string }
  /** Before they go. */
  | { readonly did: 'forgetting'; readonly snapshots: readonly string[] }
  | { readonly did: 'failed'; readonly code: string; readonly message: string }
  | { readonly did: 'found'; readonly damage: readonly string[] }
  | { readonly did: 'end' };

const tell = (event: TortureEvent) => void writeSync(1, `${JSON.stringify(event)}\n`);

/** Counts calls and dies at one of them. */
function mortalStore(inner: ObjectStore, diesAt: number | undefined, random: () => number): ObjectStore {
  let calls = 0;
  const die = () => process.kill(process.pid, 'SIGKILL');
  const call = async <Result>(run: () => Promise<Result>): Promise<Result> => {
    if (++calls !== diesAt) return await run();
    const moment = Math.floor(random() * 6);
    if (moment === 0) die();
    const running = run();
    // A lock that is gone, say, may be found before we die: no reason to die of that.
    running.catch(() => {});
    for (let turns = 1; turns < moment; turns++) await new Promise((resolve) => setImmediate(resolve));
    if (moment < 5) die();
    await running;
    die();
    return await running;
  };
  const page: ObjectStore['page'] = (prefix, from, signal) => call(() => inner.page(prefix, from, signal));
  return {
    ...inner,
    put: (name, bytes, signal) => call(() => inner.put(name, bytes, signal)),
    get: (name, range, signal) => call(() => inner.get(name, range, signal)),
    sizeOf: (name, signal) => call(() => inner.sizeOf(name, signal)),
    page,
    list: (prefix, signal) => listByPages(page, prefix, signal),
    remove: (name, signal) => call(() => inner.remove(name, signal)),
    async removeMany(names, signal) {
      for (const name of names) await call(() => inner.remove(name, signal));
    },
  };
}

async function open(task: TortureTask): Promise<LockContext> {
  const random = seededRandom(task.seed);
  const real = systemClock();
  // Waits are a hundredth of what they are in earnest.
  const clock: Clock = { ...real, sleep: (ms, signal) => real.sleep(ms / 100, signal) };
  const mortal = mortalStore(directoryStore(task.place, randomUUID), task.diesAt, random);
  const store = retryStore(faultyStore(mortal, { random, clock, rate: task.faultRate }), { clock, random });
  const [encrypt, macK, macR] = task.key.map((hex) => Buffer.from(hex, 'hex'));
  if (encrypt === undefined || macK === undefined || macR === undefined) throw new Error('no key');
  const repository = await openWithKey(store, { encrypt, macK, macR }, randomBytes);
  return { repository, owner: processOwner(), clock: real, randomBytes };
}

const collecting = { minWaitMs: 0, unusedShare: 0.05, repackBytes: 2 ** 30, effects: 'Done' } as const;

async function run(task: TortureTask): Promise<void> {
  const context = await open(task);
  const { repository } = context;
  if (task.do === 'backup') return await runBackup(context, task.source);
  if (task.do === 'prune') return void (await collectGarbage(context, collecting));
  if (task.do === 'verify') {
    const { damage, affected } = await verify({ repository, depth: { read: 'everything' } });
    const objects = [...damage.map(({ object, kind }) => `${kind} ${object}`), ...affected.map(({ path }) => path)];
    return tell({ did: 'found', damage: objects });
  }
  const { groups } = planForget(await repository.snapshots(), {
    retention: { last: 1, keep: {}, keepWithin: {}, tags: [] },
    scope: { hosts: [], tags: [], paths: [] },
    groupBy: ['paths'],
    timeZone: 'UTC',
  });
  const snapshots = groups.flatMap(({ forget: leaving }) => leaving.map(({ id }) => id));
  tell({ did: 'forgetting', snapshots });
  await forget(context, { snapshots, forgettingAll: 'Refused' });
}

async function runBackup(context: LockContext, source: string): Promise<void> {
  const { repository } = context;
  await using session = await beginWriting(context);
  const parent = (await repository.snapshots()).findLast(({ paths }) => paths.includes(source));
  const { snapshot } = await backup({
    repository,
    session,
    paths: [source],
    describe: { time: new Date(), hostname: 'torture', username: 'u', tags: [], excludes: [] },
    parent,
    level: 1,
    threads: 1,
    signal: new AbortController().signal,
  });
  tell({ did: 'backup', snapshot });
}

keepThreadPoolAwake();
const task = JSON.parse(process.argv[2] ?? '') as TortureTask;
await run(task).catch((error: unknown) => {
  const { code = '', message = String(error) } = error as { readonly code?: string; readonly message?: string };
  tell({ did: 'failed', code, message: `${message} ${(error as Error).stack ?? ''}` });
});
tell({ did: 'end' });
