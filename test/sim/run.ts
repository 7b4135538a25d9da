/** One run: a scenario, what is done to it and when, and the verdict on everything that came of it. */
import { runsLabel } from '../../agent/migration/testing/fake-workloads.ts';
import { at } from '../../agent/resources/fields.ts';
import { storkNames } from '../../agent/resources/names.ts';
import { type Migration, migrations } from '../../crds/v1alpha1/index.ts';
import type { Moment } from './agent.ts';
import { type Harm, harm, isInterference } from './harms.ts';
import { leftoversOf } from './leftovers.ts';
import type { LinkFaults } from './link.ts';
import { generation, type Prepared, scenarios } from './scenarios.ts';
import { createSimulation, type Simulation } from './simulation.ts';
import { createWatchdog, type Watchdog } from './watchdog.ts';

/** Done when a moment comes for the first time, or at a time. */
export interface PlannedHarm {
  readonly what: Harm;
  readonly at: Moment | { readonly ms: number };
}

export interface RunPlan {
  readonly scenario: string;
  readonly seed: number | string;
  readonly faults?: LinkFaults | undefined;
  readonly harms?: readonly PlannedHarm[] | undefined;
  readonly trace?: ((line: string) => void) | undefined;
}

export interface RunReport {
  readonly violations: readonly string[];
  /** In their order, each once. */
  readonly moments: readonly Moment[];
  readonly status: string;
  readonly reason: string;
  readonly virtualMs: number;
  /** Harms whose moment never came. */
  readonly missed: number;
}

const limitMs = 30 * 60_000;
/** How long after the end everything temporary may still be there. */
const lingerMs = 90_000;

export async function run(plan: RunPlan): Promise<RunReport> {
  const { seed, trace, faults = { lost: 0, repeated: 0 } } = plan;
  const scenario = scenarios[plan.scenario];
  if (scenario === undefined) throw new Error(`no scenario ${plan.scenario}: ${Object.keys(scenarios).join(', ')}`);
  const sim = createSimulation({ seed, faults, trace });
  const moments = new Map<string, Moment>();
  const due = new Set(plan.harms ?? []);
  const prepared = await scenario(sim);
  const watchdog = createWatchdog(sim, prepared);
  const course: Course = { plan, prepared, watchdog, due };
  sim.onMoment = (moment) => {
    const id = idOf(moment);
    moments.set(id, moment);
    doHarm(sim, course, ({ at }) => !('ms' in at) && idOf(at) === id);
  };
  try {
    const ended = await drive(sim, course);
    await judge(sim, course, ended);
    return {
      violations: sim.violations,
      moments: [...moments.values()],
      status: ended?.status?.status ?? 'Deleted',
      reason: ended?.status?.reason ?? '',
      virtualMs: sim.clock.monotonicMs(),
      missed: due.size,
    };
  } finally {
    sim.end();
  }
}

/** Hashes of uids in names differ from run to run. */
export const effectOf = ({ side, effect }: Pick<Moment, 'side' | 'effect'>): string =>
  `${side} ${effect.replace(/[0-9a-f]{16}/g, '#')}`;

const idOf = (moment: Moment): string => `${moment.timing} ${effectOf(moment)}`;

interface Course {
  readonly plan: RunPlan;
  readonly prepared: Prepared;
  readonly watchdog: Watchdog;
  readonly due: Set<PlannedHarm>;
}

function doHarm(sim: Simulation, course: Course, isDue: (planned: PlannedHarm) => boolean): void {
  for (const planned of [...course.due].filter(isDue)) {
    course.due.delete(planned);
    if (isInterference(planned.what)) course.watchdog.excuseLostClaims();
    harm(sim, course.prepared, planned.what).catch((error: unknown) => sim.violations.push(`Bug: ${error}`));
  }
}

/** Until the Migration has ended; it as it was then, `undefined` when it was deleted. */
async function drive(sim: Simulation, course: Course): Promise<Migration | undefined> {
  const { prepared, watchdog } = course;
  let generations = 0;
  for (;;) {
    const nowMs = sim.clock.monotonicMs();
    doHarm(sim, course, ({ at }) => 'ms' in at && at.ms <= nowMs);
    if (sim.chance.happens(0.15)) await writeOnSource(sim, course, ++generations);
    await sim.step();
    await watchdog.look();
    const migration = await sim.a.cluster.client.find(migrations, prepared.migration);
    if (migration === undefined) return undefined;
    if (migration.status?.finishTimestamp !== undefined) return migration;
    if (nowMs > limitMs) {
      const { stage, reason } = migration.status ?? {};
      sim.violations.push(`NeverEnded: after ${limitMs / 60_000} minutes it is in ${stage}: ${reason}`);
      return migration;
    }
  }
}

/** The application writes one generation to all its volumes, unless it is held. */
async function writeOnSource(sim: Simulation, { prepared, watchdog }: Course, number: number): Promise<void> {
  const content = generation(`g${number}`);
  watchdog.wrote(content);
  for (const { namespace, name } of prepared.claims) {
    if (sim.a.holds.isHeld(`${namespace}/app`)) continue;
    if (prepared.storageClass !== undefined && !hasWriter(sim)) continue;
    if (sim.a.cluster.world.contentOf(namespace, name) === undefined) continue;
    await sim.a.cluster.world.write(namespace, name, content);
  }
}

/** A pod of the application runs, also one that was told to end. */
const hasWriter = ({ a }: Simulation): boolean =>
  a.cluster.server.objects().some(({ kind, metadata }) => kind === 'Pod' && metadata.labels?.[runsLabel] === 'yes');

async function judge(sim: Simulation, course: Course, ended: Migration | undefined): Promise<void> {
  const { plan, prepared, watchdog } = course;
  const { status, reason = '', volumes = [] } = ended?.status ?? {};
  const users = (plan.harms ?? []).map(({ what }) => what).filter(isInterference);
  const isCalm = users.length === 0;
  const tell = (what: string) => void sim.violations.push(what);
  if (status === 'Failed' && reason.trim() === '') tell('NoReason: it failed and does not say why');
  if (ended === undefined && !users.includes('the Migration is deleted')) tell('Vanished: the Migration is gone');
  if (isCalm && status !== 'Successful' && !isExcused(plan, reason)) tell(`NotSuccessful: ${status}: ${reason}`);
  if (status === 'Successful') judgeSuccess(sim, prepared, { volumes, isCalm, tell });
  // What was overwritten is kept even if nobody is left to be told of it.
  const unnamed = ended === undefined && plan.scenario === 'overwrite' ? undoKeys(sim) : [];
  const announced = () =>
    sim.b.cluster.server
      .objects()
      .filter(({ kind }) => kind === 'Event')
      .map(({ message }) => String(message));
  await settle(sim, watchdog, [...volumes.map((volume) => volume.reason ?? ''), ...unnamed, reason].join(' '));
  const kept = [...volumes.map((volume) => volume.reason ?? ''), ...unnamed, ...announced()].join(' ');
  const left = [...leftoversOf(sim.a, `${kept} ${reason}`), ...leftoversOf(sim.b, `${kept} ${reason}`)];
  for (const what of left) tell(`LeftBehind: ${what} (${status}: ${reason})`);
  for (const { kind, metadata, spec } of sim.a.cluster.server.objects())
    if (kind === 'Deployment' && (at(spec, ['replicas']) !== 1 || metadata.annotations?.[storkNames.quiesced]))
      tell(`StillStopped: ${metadata.namespace}/${metadata.name}`);
  for (const { how, pod } of [...sim.a.holds.history, ...sim.b.holds.history])
    if (how === 'Holding' || how === 'Expired') tell(`Frozen: the hold in ${pod} was never released (${how})`);
}

const undoKeys = (sim: Simulation): readonly string[] =>
  [...sim.b.cluster.world.storage.snapshots.values()]
    .map(({ key }) => key)
    .filter((key) => key.startsWith('stork-undo-'));

/** A hold that died with its pod makes the point worthless: then it must fail. */
const isExcused = ({ scenario, harms = [] }: RunPlan, reason: string): boolean =>
  scenario === 'hold' && harms.some(({ what }) => what === 'source node') && reason !== '';

function judgeSuccess(
  sim: Simulation,
  prepared: Prepared,
  of: {
    readonly volumes: NonNullable<Migration['status']>['volumes'] & {};
    readonly isCalm: boolean;
    readonly tell: (what: string) => void;
  },
): void {
  const contents = prepared.claims.map(({ namespace, name }) => {
    const volume = of.volumes.find((one) => one.namespace === namespace && one.persistentVolumeClaim === name);
    const content = sim.b.cluster.world.contentOf(namespace, name);
    if (volume === undefined ? of.isCalm : volume.status !== 'Successful')
      of.tell(`HalfASet: ${namespace}/${name} is ${volume?.status ?? 'missing'}, the whole is Successful`);
    if (of.isCalm && `sha256:${content}` !== volume?.digest)
      of.tell(`NotEqual: ${namespace}/${name} holds ${content}, reported is ${volume?.digest}`);
    return content;
  });
  if (prepared.cut === 'Together' && of.isCalm && new Set(contents).size > 1)
    of.tell(`NotOnePoint: the volumes hold ${contents.join(' and ')}`);
}

async function settle(sim: Simulation, watchdog: Watchdog, kept: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < lingerMs; waitedMs += 250) {
    await sim.step();
    await watchdog.look();
    if (waitedMs > 3000 && [sim.a, sim.b].every((side) => leftoversOf(side, kept).length === 0)) return;
  }
}
