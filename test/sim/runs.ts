/** The runs that an agent's process lets movers into, as agent/migration/open-runs.ts does: in memory, gone with the process. */
import type { DestinationServices } from '../../agent/migration/destination/destination-services.ts';
import type { SourceServices } from '../../agent/migration/source/source-services.ts';
import type { GateAnswer, MoverPhase, MoverReport, MoverRole } from '../../agent/mover/contract.ts';

export interface OpenRun {
  readonly namespace: string;
  readonly gate: () => Promise<GateAnswer>;
  report: MoverReport | undefined;
}

export interface SimRuns {
  readonly source: SourceServices['runs'];
  readonly destination: DestinationServices['runs'];
  find(run: string, role: MoverRole): OpenRun | undefined;
}

export function createRuns(): SimRuns {
  const open: Readonly<Record<MoverRole, Map<string, OpenRun>>> = { source: new Map(), destination: new Map() };
  const refuse = async (): Promise<GateAnswer> => ({ state: 'Refused', reason: 'a source has no gate' });
  return {
    find: (run, role) => open[role].get(run),
    source: {
      open({ run, namespace }) {
        const found = open.source.get(run) ?? { namespace, gate: refuse, report: undefined };
        open.source.set(run, found);
        return { report: found.report, bytesPerSecond: 0 };
      },
      close: (run) => void open.source.delete(run),
    },
    destination: {
      open({ run, namespace }, gate) {
        open.destination.set(run, { namespace, gate, report: open.destination.get(run)?.report });
      },
      watch(run) {
        const found = open.destination.get(run);
        return found === undefined ? undefined : { report: found.report, bytesPerSecond: 0 };
      },
      close: (run) => void open.destination.delete(run),
    },
  };
}

export function aReport(run: string, role: MoverRole, phase: MoverPhase): MoverReport {
  const counts = { bytesDone: 0, bytesTotal: 0, bytesSent: 0, filesDone: 0, filesTotal: 0 };
  return { version: 1, run, role, phase, ...counts };
}
