/** A machine's table as a page for docs/states: a mermaid diagram and a list of stages. Generated, so it can't drift. */
import { type Edge, edgesOf, type MachineTable } from './machine.ts';

/** The page docs/states/NAME.md. Deterministic. */
export function machineToMarkdown(machine: MachineTable): string {
  const stages = Object.entries(machine.stages).map(([stage, spec]) => {
    const deadline = typeof spec.deadlineSeconds === 'number' ? `${spec.deadlineSeconds} s` : '–';
    const to = spec.to.map(label).join(', ');
    return `| ${label(stage)} | ${spec.does} | ${to} | ${label(spec.onFail ?? 'End')} | ${deadline} |`;
  });
  return [
    `# States of a ${machine.name}`,
    '',
    'Generated from the stage table by `npm run generate`. A stage that waits stays where it is.',
    '',
    '```mermaid',
    'stateDiagram-v2',
    `  [*] --> ${label(machine.initial)}`,
    ...edgesOf(machine).map((edge) => `  ${node(edge.from)} --> ${node(edge.to)}${edgeLabel(edge)}`),
    '```',
    '',
    '| stage | what happens | leads to | on failure | deadline |',
    '|---|---|---|---|---|',
    ...stages,
    '',
  ].join('\n');
}

/** The same diagram for Graphviz. */
export function machineToDot(machine: MachineTable): string {
  const line = (edge: Edge) => {
    const style = edge.by === 'fail' ? ' [style=dashed,label="fail"]' : '';
    return `  "${label(edge.from)}" -> "${label(edge.to)}"${style};`;
  };
  return [`digraph "${machine.name}" {`, '  rankdir=LR;', ...edgesOf(machine).map(line), '}', ''].join('\n');
}

/** Stork's first stage is the empty string. */
function label(stage: string): string {
  return stage === '' ? 'Initial' : stage;
}

function node(stage: string): string {
  return stage === 'End' ? '[*]' : label(stage);
}

function edgeLabel(edge: Edge): string {
  return edge.by === 'advance' ? '' : `: ${edge.by}`;
}
