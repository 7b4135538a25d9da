/** One migration in which something dies at a certain effect, and the verdict on it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { migration } from '../e2e/bed.ts';
import { fillerDigest, leftoversOf } from '../e2e/filler.ts';
import { type CrashBed, type CrashVictim, killNow, renewAgent, rewrite, sideOf } from './crash-bed.ts';
import type { EffectLine } from './follow-effects.ts';

/** Into an empty namespace, or over what an earlier one left. */
export type Sync = 'first' | 'again';

export interface CrashPlan {
  readonly sync: Sync;
  /** When it is told for the first time, `harm` is done; never when absent. */
  readonly at?: EffectLine | undefined;
  readonly harm?: (() => Promise<string>) | undefined;
}

export interface CrashReport {
  /** Each effect once, in their order. */
  readonly effects: readonly string[];
  /** What was done to it; `undefined` when its moment never came. */
  readonly done: string | undefined;
  /** Empty when all is well. */
  readonly problems: readonly string[];
  readonly seconds: number;
}

const timeoutMs = 300_000;

export async function crashRun(on: CrashBed, plan: CrashPlan): Promise<CrashReport> {
  const { clusters, namespace } = on;
  if (plan.sync === 'first') await removeThere(on);
  else await rewrite(clusters.a, namespace);
  const name = `crash-${Date.now().toString(36)}`;
  const effects = new Set<string>();
  let harm: Promise<string> | undefined;
  for (const followed of on.followed)
    followed.onLine = (line) => {
      effects.add(line.effect);
      const isDue = line.effect === plan.at?.effect && line.moment === plan.at.moment;
      if (isDue) harm ??= plan.harm?.() ?? Promise.resolve('nothing');
    };
  const startedMs = Date.now();
  const problems: string[] = [];
  const result = await clusters.a
    .stork(['migrate', namespace, '--to', 'b', '--name', name], { timeoutMs })
    .catch((error: Error) => ({ exitCode: 1, stdout: '', stderr: error.message }));
  const seconds = Math.round((Date.now() - startedMs) / 1000);
  const done = await harm;
  problems.push(...(await judge(on, name, `${result.stdout}${result.stderr}`)));
  return { effects: [...effects], done, problems, seconds };
}

async function judge({ clusters, namespace }: CrashBed, name: string, output: string): Promise<readonly string[]> {
  const found = await migration(clusters.a, namespace, name).catch(() => undefined);
  if (found === undefined) return [`there is no Migration ${name}`, output];
  const { metadata, status } = found;
  if (status.status !== 'Successful') return [`${status.stage} ${status.status}: ${status.reason}`, output];
  const problems: string[] = [];
  const [there, here] = await Promise.all([clusters.b, clusters.a].map((side) => fillerDigest(side, namespace)));
  if (there !== here) problems.push(`the destination differs: ${there}, ${here}`);
  const left = await leftoversOf(clusters, metadata.uid);
  if (left.length > 0) problems.push(`left behind: ${left.join(', ')}`);
  await clusters.a.kubectl(['-n', namespace, 'delete', 'migrations.stork.libopenstorage.org', name]);
  return problems;
}

async function removeThere({ clusters, namespace }: CrashBed): Promise<void> {
  await clusters.b.kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--wait', '--timeout=120s']);
}

/** Kills the victim at the effect; a killed agent gets a new pod afterwards, so that the next run begins in peace. */
export async function killRun(
  on: CrashBed,
  plan: { readonly sync: Sync; readonly at: EffectLine; readonly victim: CrashVictim },
): Promise<CrashReport> {
  const { sync, at, victim } = plan;
  const report = await crashRun(on, { sync, at, harm: () => killNow(on.clusters, victim) });
  if (report.done?.endsWith('agent')) {
    await renewAgent(on.clusters, sideOf(on.clusters, victim));
    // Until its log is followed again.
    await sleep(2000);
  }
  return report;
}
