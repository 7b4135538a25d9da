/**
 * Two clusters, two agents, movers, nodes and a link in virtual time, all of it from one seed. `step` lets a moment pass;
 * what must hold at every instant is looked at after each step and after each write of a mover.
 */
import { runWorkloads } from '../../agent/migration/testing/fake-workloads.ts';
import type { ManualClock } from '../../kube/clock.ts';
import { manualClock } from '../../kube/clock.ts';
import type { Log } from '../../kube/log.ts';
import type { Moment } from './agent.ts';
import { type Chance, chanceOf } from './chance.ts';
import { createLink, type LinkFaults, type SideName, type SimLink } from './link.ts';
import type { Meeting } from './mover.ts';
import { createSide, type MoverWrite, type SimSide } from './side.ts';

export interface Simulation {
  readonly clock: ManualClock;
  readonly chance: Chance;
  readonly a: SimSide;
  readonly b: SimSide;
  readonly link: SimLink;
  readonly trace: (line: string) => void;
  /** What was not as it must be, one sentence each. */
  readonly violations: string[];
  onMoment: (moment: Moment) => void;
  onMoverWrite: (write: MoverWrite) => void;
  /** A quarter of a second passes. */
  step(): Promise<void>;
  /** Every process of ours ends. */
  end(): void;
}

export interface SimulationOptions {
  readonly seed: number | string;
  readonly faults: LinkFaults;
  readonly trace?: ((line: string) => void) | undefined;
}

export const stepMs = 250;

export function createSimulation({ seed, faults, trace = () => {} }: SimulationOptions): Simulation {
  const clock = manualClock();
  const chance = chanceOf(seed);
  const violations: string[] = [];
  const timed = (line: string) => trace(`${(clock.monotonicMs() / 1000).toFixed(3).padStart(9)} ${line}`);
  const meetings = new Map<string, Meeting>();
  const meetingOf = (run: string): Meeting => {
    const found = meetings.get(run) ?? { source: undefined, sent: 'No', failure: undefined, isOpen: new Map() };
    meetings.set(run, found);
    return found;
  };
  const endOf = (side: SideName) => simulation[side].agent.process;
  const onBug = (error: unknown) => {
    violations.push(`Bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  };
  const make = (name: SideName): SimSide =>
    createSide({
      ...{ name, clock, chance, meetingOf, onBug },
      log: traceLog(name, timed),
      link: () => simulation.link,
      onMoment: (moment) => simulation.onMoment(moment),
      onMoverWrite: (write) => simulation.onMoverWrite(write),
    });
  const link = createLink({ clock, chance: chance.fork('link'), faults, endOf });
  const storage = chance.fork('storage');
  const simulation: Simulation = {
    clock,
    chance: chance.fork('simulation'),
    a: make('a'),
    b: make('b'),
    link,
    trace: timed,
    violations,
    onMoment: () => {},
    onMoverWrite: () => {},
    async step() {
      for (const side of storage.happens(0.5) ? [simulation.a, simulation.b] : [simulation.b, simulation.a]) {
        if (storage.happens(0.6)) await side.cluster.world.settle();
        if (storage.happens(0.6)) await side.nodes.tick();
        await runWorkloads(side.cluster.client, 'Kubelet');
      }
      await clock.advance(stepMs);
    },
    end() {
      for (const side of [simulation.a, simulation.b]) {
        side.agent.stop();
        for (const mover of side.nodes.movers()) mover.life.end();
      }
    },
  };
  return simulation;
}

function traceLog(name: string, trace: (line: string) => void): Log {
  const build = (base: object): Log => {
    const write = (level: string) => (message: string, fields?: object) => {
      const shown = Object.entries({ ...base, ...fields }).map(([key, value]) => `${key}=${describe(value)}`);
      trace(`${name} ${level} ${message} ${shown.join(' ')}`);
    };
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      with: (fields) => build({ ...base, ...fields }),
    };
  };
  return build({});
}

const describe = (value: unknown): string => (value instanceof Error ? value.message : String(value));
