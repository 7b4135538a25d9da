/** One migration in which something dies at a certain effect, and the verdict on it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expectSuccess } from '../demo/pairing.ts';
import { cutLink, shapeLink } from '../testbed/link.ts';
import { aimAt, type CrashBed, type CrashVictim, holdRule, type MoverIs, renewAgents, rewrite } from './crash-bed.ts';
import { keepEvidence } from './evidence.ts';
import type { EffectLine } from './follow-effects.ts';
import { judge, judgeLeftovers } from './judge.ts';
import { findThings } from './things.ts';

/** Into an empty namespace, and started there; or over what an earlier one left, which does not run. */
export type Sync = 'first' | 'again';

/** Done at once when its moment comes; resolves to what was done. */
export type Harm = () => Promise<string>;

export interface CrashPlan {
  readonly sync: Sync;
  /** When it is told for the first time, the harm is done; never when absent. */
  readonly at?: EffectLine | undefined;
  /** Gets ready for the harm, just before the migration begins. */
  readonly aim?: (() => Promise<Harm>) | undefined;
}

export interface CrashReport {
  /** Each effect once, in their order. */
  readonly effects: readonly string[];
  /** What was done to it; `undefined` when its moment never came. */
  readonly done: string | undefined;
  /** Empty when all is well. */
  readonly problems: readonly string[];
  /** From the request to its end. */
  readonly seconds: number;
}

const timeoutMs = 300_000;

export async function crashRun(on: CrashBed, plan: CrashPlan): Promise<CrashReport> {
  const { clusters, namespace, left } = on;
  await prepare(on, plan.sync);
  const before = await findThings(on);
  const deed = await plan.aim?.();
  const name = `crash-${Date.now().toString(36)}`;
  const startedMs = Date.now();
  const watched = watch(on, { at: plan.at, deed, sinceMs: startedMs });
  if (plan.sync === 'first') left.there = 'Started';
  const request = ['migrate', namespace, '--to', 'b', '--name', name, '--pre-exec-rule', holdRule];
  const result = await clusters.a
    .stork([...request, ...(plan.sync === 'first' ? ['--start'] : [])], { timeoutMs })
    .catch((error: Error) => ({ exitCode: 1, stdout: '', stderr: error.message }));
  const seconds = Math.round((Date.now() - startedMs) / 1000);
  const problems = [...(await judge(on, { name, output: `${result.stdout}${result.stderr}`, before }))];
  if (problems.length > 0) {
    problems.push(`evidence: ${await keepEvidence(on, name)}`);
    left.there = 'Unknown';
  }
  const hurtBefore = watched.isHurt();
  // It may never have come to be: that is among the problems.
  const remove = ['delete', 'migrations.stork.libopenstorage.org', name, '--ignore-not-found', '--timeout=120s'];
  await clusters.a.kubectl(['-n', namespace, ...remove]);
  const done = await watched.done();
  if (watched.isHurt() !== hurtBefore) problems.push(...(await judgeLeftovers(on, before)));
  return { effects: [...watched.effects], done, problems, seconds };
}

/** Does the deed at its moment, and notes all effects. */
function watch(
  on: CrashBed,
  plan: { readonly at: EffectLine | undefined; readonly deed: Harm | undefined; readonly sinceMs: number },
) {
  const { at, deed, sinceMs } = plan;
  const effects = new Set<string>();
  let harm: Promise<string> | undefined;
  for (const followed of on.followed)
    followed.onLine = (line, time) => {
      if (time.getTime() < sinceMs) return;
      effects.add(line.effect);
      if (line.effect === at?.effect && line.moment === at.moment) harm ??= deed?.();
    };
  return { effects, isHurt: () => harm !== undefined, done: async () => await harm };
}

async function prepare(on: CrashBed, sync: Sync): Promise<void> {
  const { clusters, namespace, left } = on;
  if (sync === 'first') {
    const remove = ['delete', 'namespace', namespace, '--ignore-not-found', '--wait', '--timeout=120s'];
    await Promise.all([renewAgents(on), clusters.b.kubectl(remove)]);
    return;
  }
  await renewAgents(on);
  if (left.there === 'Unknown') {
    const { problems } = await crashRun(on, { sync: 'first' });
    if (problems.length > 0) throw new Error(`a first migration, undisturbed: ${problems.join('; ')}`);
  }
  if (left.there === 'Started') {
    expectSuccess(await clusters.b.stork(['deactivate', 'migration', '-n', namespace]));
    await clusters.b.kubectl(['-n', namespace, 'wait', '--for=delete', 'pod', '-l', 'app=filler', '--timeout=60s']);
    left.there = 'Stopped';
  }
  await rewrite(clusters.a, namespace);
}

/** Kills the victim at the effect. */
export const killRun = (
  on: CrashBed,
  plan: {
    readonly sync: Sync;
    readonly at: EffectLine;
    readonly victim: CrashVictim;
    readonly mover: MoverIs;
  },
): Promise<CrashReport> =>
  crashRun(on, { sync: plan.sync, at: plan.at, aim: () => aimAt(on, plan.victim, plan.mover) });

/** At each of the effects, in their order: movers come and go before what they have read back is kept. */
export const moverAt = (effects: readonly string[], effect: string): MoverIs =>
  effects.indexOf(effect) < effects.findIndex((one) => one.startsWith('b keepResult')) ? 'ToCome' : 'Over';

const cutSeconds = 20;

/** Cuts the link at the effect. */
export const cutRun = (on: CrashBed, plan: { readonly sync: Sync; readonly at: EffectLine }): Promise<CrashReport> =>
  crashRun(on, { ...plan, aim: async () => cutForAWhile });

async function cutForAWhile(): Promise<string> {
  await using _cut = await cutLink();
  await sleep(cutSeconds * 1000);
  return `cut the link for ${cutSeconds} s`;
}

/** A sync while one packet in a hundred is lost. */
export async function lossyRun(on: CrashBed): Promise<CrashReport> {
  await using _loss = await shapeLink({ loss: 0.01 });
  return { ...(await crashRun(on, { sync: 'again' })), done: 'lost one packet in a hundred' };
}
