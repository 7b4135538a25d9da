/** The meta-test of a machine: every edge of its table was crossed by some test of the same file. */
import { type Edge, edgesOf, type MachineTable } from './machine.ts';

export interface EdgeRecord {
  /** Give this to `runMachine`'s environment. */
  readonly onEdge: (machine: string, edge: Edge) => void;
  /** The machine's edges that were never crossed, as `From → To (fail)`. */
  uncrossed(machine: MachineTable): readonly string[];
}

export function recordEdges(): EdgeRecord {
  const crossed = new Set<string>();
  const describe = (edge: Edge) => `${edge.from || 'Initial'} → ${edge.to || 'Initial'} (${edge.by})`;
  return {
    onEdge: (machine, edge) => void crossed.add(`${machine}: ${describe(edge)}`),
    uncrossed: (machine) =>
      edgesOf(machine)
        .map(describe)
        .filter((edge) => !crossed.has(`${machine.name}: ${edge}`)),
  };
}
