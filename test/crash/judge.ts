/** The verdict on one migration: how it ended, what arrived, who is still held, what was left behind. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../demo/commands.ts';
import { migration } from '../e2e/bed.ts';
import { claimName, fillerDigest } from '../e2e/filler.ts';
import { type CrashBed, deadManSeconds } from './crash-bed.ts';
import { findThings, type Things } from './things.ts';

/** Empty when all is well. */
export async function judge(
  on: CrashBed,
  run: { readonly name: string; readonly output: string; readonly before: Things },
): Promise<readonly string[]> {
  const { clusters, namespace } = on;
  const found = await migration(clusters.a, namespace, run.name).catch(() => undefined);
  if (found === undefined) return [`there is no Migration ${run.name}`, run.output];
  const { status } = found;
  const problems: string[] = [];
  if (status.status !== 'Successful') problems.push(`${status.stage} ${status.status}: ${status.reason}`);
  else problems.push(...(await judgeArrival(on)));
  for (const { kind, name, status: how, reason } of status.resources ?? [])
    if (how !== 'Successful' && status.status === 'Successful') problems.push(`${kind} ${name} is ${how}: ${reason}`);
  problems.push(...(await judgeHold(clusters.a, namespace)));
  problems.push(...(await judgeLeftovers(on, run.before)));
  return problems;
}

async function judgeArrival({ clusters, namespace, left }: CrashBed): Promise<readonly string[]> {
  const { a, b } = clusters;
  const problems: string[] = [];
  const [there, here] = await Promise.all([b, a].map((side) => fillerDigest(side, namespace)));
  if (there !== here) problems.push(`the destination differs: ${there}, ${here}`);
  const wanted = ['deployment/filler', 'configmap/filler', `persistentvolumeclaim/${claimName}`];
  await b.kubectl(['-n', namespace, 'get', ...wanted, '-o', 'name']).catch((error: Error) => {
    problems.push(`called whole, but ${error.message}`);
  });
  if (left.there !== 'Started') return problems;
  // What it runs on is what was sent.
  await b
    .kubectl(['-n', namespace, 'rollout', 'status', 'deployment/filler', '--timeout=90s'])
    .catch((error: Error) => void problems.push(`it does not start there: ${error.message}`));
  const sums = [b, a].map((side) => side.exec(namespace, 'deployment/filler', ['sha256sum', '/data/file-0']));
  const [sumThere, sumHere] = await Promise.all(sums).catch((error: Error) => [error.message, '']);
  if (sumThere !== sumHere) problems.push(`the application there sees ${sumThere}, not ${sumHere}`);
  return problems;
}

/** Nobody holds the application any more; whoever did let it go, the dead-man timer's time is the longest. */
async function judgeHold(side: Cluster, namespace: string): Promise<readonly string[]> {
  const look =
    'cat /tmp/holds 2>/dev/null; rm -f /tmp/holds; ls -A /tmp | sed "s/^/left /"; ps -o args 2>/dev/null | grep "[s]tork-rule" | sed "s/^/runs /" || :';
  const lines = (await side.exec(namespace, 'deployment/filler', ['sh', '-c', look])).split('\n').filter(Boolean);
  const problems = lines.filter((line) => /^(left|runs) /.test(line)).map((line) => `the held pod: ${line}`);
  const times = lines.map((line) => /^(\d+) (held|let go) by (\d+)$/.exec(line)).filter((match) => match !== null);
  for (const [, since, what, by] of times) {
    if (what !== 'held') continue;
    const end = times.find((time) => time[2] === 'let go' && time[3] === by);
    if (end === undefined) problems.push(`the hold that began at ${since} was never let go`);
    else if (Number(end[1]) - Number(since) > deadManSeconds + 2)
      problems.push(`the application was held for ${Number(end[1]) - Number(since)} s`);
  }
  return problems;
}

/** Storage takes a while to delete what was released. */
const lingerMs = 40_000;

/** What was not there before. */
export async function judgeLeftovers(on: CrashBed, before: Things): Promise<readonly string[]> {
  const deadline = Date.now() + lingerMs;
  for (;;) {
    const left = [...(await findThings(on))].filter((thing) => !before.has(thing));
    const isOver = left.every((thing) => !thing.startsWith('storage: '));
    if (left.length === 0) return [];
    if (isOver || Date.now() > deadline) return [`left behind: ${left.join(', ')}`];
    await sleep(1000);
  }
}
